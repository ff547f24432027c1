import type { Observer } from '../core/ports.ts';
import type { Ruleset } from '../core/ruleset.ts';
import type { RulesLoader } from '../rules/loader.ts';
import { type Assembly, assembly } from '../rules/ruleset-slices.ts';
import type { PrimaryLink } from './primary-link.ts';

/**
 * The rules of a worker: read, judged and told by the primary, put together here from what it sends. `start` resolves when
 * the primary has told all that it knew then, which may be nothing yet.
 */
export function fedRules(primary: PrimaryLink, observer: Pick<Observer, 'rulesLoaded'>): RulesLoader {
  let ruleset: Ruleset | null = null;
  let parts: Assembly | null = null;
  let heard = (): void => {};

  return {
    name: 'rules of the primary',
    current: () => ruleset,
    async start() {
      const told = new Promise<void>((resolve) => {
        heard = resolve;
      });
      primary.on('slice', ({ slice }) => {
        parts ??= assembly();
        parts.add(slice);
        primary.send({ kind: 'placed' });
      });
      primary.on('rules', ({ generation, files }) => {
        if (parts !== null) ruleset = parts.ruleset(generation);
        parts = null;
        if (ruleset !== null) observer.rulesLoaded({ ok: true, ruleset, files });
        primary.send({ kind: 'placed' });
      });
      primary.on('refused', ({ problems, files }) => observer.rulesLoaded({ ok: false, problems, files }));
      primary.on('up to date', () => heard());
      primary.send({ kind: 'wants rules' });
      await told;
    },
    async stop() {
      heard();
    },
  };
}
