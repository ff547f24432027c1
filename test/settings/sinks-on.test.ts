import { expect } from 'chai';
import { readSettings } from '../../src/settings/read-settings.ts';
import { type SinksOn, sinksOn } from '../../src/settings/sinks-on.ts';

const ALL = ['--use-prometheus', '--use-statsd', '--use-dog-statsd'];
const on = (argv: readonly string[]): SinksOn => sinksOn(readSettings(argv, {}).settings);

describe('the sinks of metrics', () => {
  it('are off when nobody says anything, each on where it is asked for, and all off with DISABLE_STATS', () => {
    const off = { prometheus: false, statsd: false, dogStatsd: false };
    expect(on([])).to.deep.equal(off);
    expect(on(['--use-prometheus'])).to.deep.equal({ ...off, prometheus: true });
    expect(on(['--use-statsd'])).to.deep.equal({ ...off, statsd: true });
    expect(on(['--use-dog-statsd'])).to.deep.equal({ ...off, dogStatsd: true });
    expect(on(ALL)).to.deep.equal({ prometheus: true, statsd: true, dogStatsd: true });
    expect(on([...ALL, '--disable-stats'])).to.deep.equal(off);
  });
});
