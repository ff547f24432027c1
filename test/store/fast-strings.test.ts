import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

/** V8 knows how it keeps an object, and tells those who may ask. */
const ASKING = `
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--allow-natives-syntax');
  const isFast = new Function('return %HasFastProperties(String.prototype)');
  await import('./src/store/redis/redis-store.ts');
  console.log(isFast());
`;

describe('a process that has loaded the Redis store', () => {
  it('calls methods of strings without a look-up in a dictionary', () => {
    const told = execFileSync(process.execPath, ['--import=tsx', '--input-type=module', '--eval', ASKING], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      encoding: 'utf8',
    });
    expect(told.trim()).to.equal('true');
  });
});
