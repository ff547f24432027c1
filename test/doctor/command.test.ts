import { expect } from 'chai';
import { findingsJson, formatFindings, ok, warn, fail as wrong } from '../../src/doctor/finding.ts';
import { WEIR } from '../support/built.ts';
import { eventually } from '../support/eventually.ts';
import { ownProcess } from '../support/process.ts';
import { needsRedis, ownRedis } from '../support/redis.ts';
import { ground, told } from './asking.ts';

const FOUND = [ok('a.one', 'well'), warn('b.two', 'so so', 'think'), wrong('b.three', 'bad\n  ^', 'mend')];

describe('findings', () => {
  it('are a line each with what to do below, further lines set in, and the sum at the end', () => {
    expect(formatFindings(FOUND).split('\n')).to.deep.equal([
      'ok    a: well',
      'warn  b: so so',
      '      -> think',
      'fail  b: bad',
      '        ^',
      '      -> mend',
      '1 ok, 1 to think about, 1 wrong',
    ]);
  });

  it('are data for programs', () => {
    expect(JSON.parse(findingsJson(FOUND))).to.deep.include({ healthy: false, ok: 1, warn: 1, fail: 1 });
    expect(JSON.parse(findingsJson(FOUND)).findings[1]).to.deep.equal({
      name: 'b.two',
      mark: 'warn',
      says: 'so so',
      todo: 'think',
    });
  });
});

describe('the command weir doctor', () => {
  const run = (...args: readonly string[]) =>
    ownProcess({ name: 'weir', command: process.execPath, args: [WEIR, ...args] });

  it('is in the help', async () => {
    const help = await run('--help');
    expect((await help.ended).code).to.equal(0);
    expect(help.output()).to.match(/^ {2}weir doctor \[settings\]/m);
  });

  it('asks for --rules when nobody has said where the rules are, and not when somebody has', async () => {
    const asks = /-> say with --rules PATH or RULES where your rules are/;
    expect((await told([])).text).to.match(asks);
    expect((await told(['--rules', '/nowhere'])).text)
      .to.include('/nowhere (--rules)')
      .and.not.match(asks);
  });

  it('ends by itself, and with 1, though Redis is stopped', async function () {
    needsRedis(this);
    const redis = await ownRedis();
    const place = await ground();
    redis.freeze();
    try {
      const doctor = await run('doctor', ...place.flags, '--redis-url', redis.url);
      await eventually('weir doctor to end', () => !doctor.running());
      expect((await doctor.ended).code).to.equal(1);
      expect(doctor.output()).to.match(/^fail {2}store: .*says nothing$/m);
    } finally {
      redis.thaw();
      await redis.stop();
      await place.remove();
    }
  });
});
