/**
 * Figures of a large set of rules, for people: `npx tsx test/rules/measure.ts [direct|thread] [RULES]`.
 * Times depend on the machine and on what else runs there; nothing is asserted.
 */
import type { LoadReport, RulesDocument } from '../../src/core/ports.ts';
import { type RulesSource, rulesLoader } from '../../src/rules/loader.ts';
import { largeSet } from './large.ts';

const [way = 'thread', count = '100000'] = process.argv.slice(2);
const megabytes = (bytes: number): number => Math.round(bytes / 1_048_576);

async function measure(documents: readonly RulesDocument[]): Promise<void> {
  const reports: LoadReport[] = [];
  const source: RulesSource = {
    name: 'measured',
    onDocuments: async () => null,
    onUnreadable: () => {},
    start: async () => void source.onDocuments(documents),
    stop: async () => {},
  };
  const maxDirectLength = way === 'direct' ? Number.POSITIVE_INFINITY : 0;
  const observer = { rulesLoaded: (report: LoadReport) => reports.push(report) };
  const loader = rulesLoader({ source, mergeDomains: false, observer, maxDirectLength });
  let turns = 0;
  let longestMs = 0;
  let turnedAt = performance.now();
  const turn = (): void => {
    longestMs = Math.max(longestMs, performance.now() - turnedAt);
    turnedAt = performance.now();
    turns++;
  };
  const turning = setInterval(turn, 1);
  const startedAt = performance.now();
  await loader.start();
  const tookMs = Math.round(performance.now() - startedAt);
  turn();
  clearInterval(turning);
  const [report] = reports;
  const told = report?.ok ? `${report.ruleset.rules.length} rules` : JSON.stringify(report);
  const size = megabytes(documents.reduce((sum, { text }) => sum + text.length, 0));
  const peak = Math.round(process.resourceUsage().maxRSS / 1_024);
  console.log(
    `${way}: ${told} of ${size} MB in ${tookMs} ms, longest stall ${Math.round(longestMs)} ms, ` +
      `${turns} timer turns, RSS ${peak} MB at most and ${megabytes(process.memoryUsage().rss)} MB after`,
  );
  await loader.stop();
}

await measure(largeSet(Number(count)));
