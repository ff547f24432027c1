import { expect } from 'chai';
import fc from 'fast-check';
import { goCounter, identityOf } from '../../src/core/counter-text.ts';
import type { Rule } from '../../src/core/ruleset.ts';
import { rule } from '../support/rule.ts';
import { LAW_RUNS } from './runs.ts';

const RUNS = { numRuns: LAW_RUNS };

/** A level of a descriptor: an entry, and the pattern that is shared in place of its value. */
interface Part {
  readonly key: string;
  readonly value: string;
  readonly pattern: string | null;
}

/** Few letters, all those that mean something, so that texts come close to each other. */
const near = fc.string({ unit: fc.constantFrom('a', '%', '{', '}', '|', '=', '~', '7', 'C', '_', '*'), maxLength: 4 });
const text = fc.oneof(near, fc.string({ unit: 'binary', maxLength: 4 }), fc.constantFrom('\udcff', '%7C', '|a=', '}'));
const part = fc.record({ key: text, value: text, pattern: fc.option(near.map((t) => `${t}*`)) });
const whole = fc.tuple(text, fc.array(part, { maxLength: 3 }));

function rulesOf(parts: readonly Part[]): readonly Rule[] {
  return parts.map(({ pattern }) => rule('d', { value: pattern ?? '', shareThreshold: pattern !== null }));
}

const identity = ([domain, parts]: readonly [string, readonly Part[]]) => identityOf(domain, parts, rulesOf(parts));

/** What two descriptors must have in common to share a counter. */
function meaning([domain, parts]: readonly [string, readonly Part[]]): string {
  const said = parts.map(({ key, value, pattern }) => [key, pattern === null ? ['value', value] : ['all', pattern]]);
  return JSON.stringify([domain, said]);
}

describe('law of counter texts', function () {
  this.timeout(120_000);

  it('an identity is of one domain and one list of entries and patterns only', () => {
    fc.assert(
      fc.property(whole, whole, (one, other) => {
        expect(identity(one) === identity(other)).to.equal(meaning(one) === meaning(other));
      }),
      RUNS,
    );
  });

  it('no text moves from one part of an identity to the next: two ways to cut the same letters differ', () => {
    fc.assert(
      fc.property(fc.array(near, { minLength: 3, maxLength: 3 }), fc.nat(8), fc.nat(8), (letters, a, b) => {
        const joined = letters.join('');
        const cut = (at: number) =>
          [joined.slice(0, at), [{ key: joined.slice(at), value: '', pattern: null }]] as const;
        const [one, other] = [Math.min(a, joined.length), Math.min(b, joined.length)];
        expect(identity(cut(one)) === identity(cut(other))).to.equal(one === other);
      }),
      RUNS,
    );
  });

  it('an identity is one pair of braces around everything, which a Redis Cluster hashes', () => {
    fc.assert(
      fc.property(whole, (one) => {
        expect(identity(one)).to.match(/^\{[^{}]*\}$/s);
      }),
      RUNS,
    );
  });

  it("the Go service's text is key and value of each entry, each followed by _, the pattern for a shared value", () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 3 }), (parts) => {
        const joined = (texts: readonly (readonly [string, string])[]) =>
          texts
            .flat()
            .map((t) => `${t}_`)
            .join('');
        expect(goCounter(parts, rulesOf(parts))).to.equal(
          joined(parts.map(({ key, value, pattern }) => [key, pattern ?? value])),
        );
        expect(goCounter(parts, [])).to.equal(joined(parts.map(({ key, value }) => [key, value])));
      }),
      RUNS,
    );
  });
});
