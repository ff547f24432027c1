import { expect } from 'chai';
import { NoRulesError, type Observer, StoreError } from '../../src/core/ports.ts';
import { observers } from '../../src/telemetry/observers.ts';
import { decision, loaded, request, ruleset } from './decisions.ts';

describe('observers', () => {
  it('tells all of them everything, in the order given', () => {
    const heard: unknown[] = [];
    const named = (name: string): Observer => ({
      decided: (...what) => heard.push([name, 'decided', ...what]),
      storeFailed: (...what) => heard.push([name, 'storeFailed', ...what]),
      requestRefused: (...what) => heard.push([name, 'requestRefused', ...what]),
      rulesLoaded: (...what) => heard.push([name, 'rulesLoaded', ...what]),
    });
    const both = observers([named('a'), named('b')]);
    const d = decision('shop', ruleset([]), []);
    const asked = request('shop');
    const failure = new StoreError('busy', 'x');
    const refusal = new NoRulesError();
    const report = loaded(ruleset([]));
    both.decided(d, 7);
    both.storeFailed(asked, [], failure);
    both.requestRefused(asked, refusal);
    both.rulesLoaded(report);
    expect(heard).to.deep.equal(
      [
        ['decided', d, 7],
        ['storeFailed', asked, [], failure],
        ['requestRefused', asked, refusal],
        ['rulesLoaded', report],
      ].flatMap((what) => [
        ['a', ...what],
        ['b', ...what],
      ]),
    );
  });
});
