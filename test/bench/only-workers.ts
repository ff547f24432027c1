/** `make bench-workers`: measures that one section of RESULTS.md, writes it anew, and leaves the others as they are. */
import { readFileSync, writeFileSync } from 'node:fs';
import { WORKERS_HEADING, workersSection } from './workers.ts';

const RESULTS = new URL('RESULTS.md', import.meta.url);

const section = await workersSection();
const [before = ''] = readFileSync(RESULTS, 'utf8').split(WORKERS_HEADING);
writeFileSync(RESULTS, `${before.trimEnd()}\n\n${WORKERS_HEADING}\n\n${section}`);
console.log(section);
