import type { Problem } from '../core/ports.ts';
import type { Ruleset } from '../core/ruleset.ts';
import { type Slice, slicesOf } from '../rules/ruleset-slices.ts';
import type { ToWorker } from './messages.ts';

/** What became of the rules, as the primary knows it. */
export interface RulesNews {
  loaded(): { readonly ruleset: Ruleset; readonly files: number } | null;
  /** Newer than what is loaded. */
  refused(): { readonly problems: readonly Problem[]; readonly files: number } | null;
}

/** Tells one worker what became of the rules, a slice at a time, so that neither side is held up by a large set. */
export interface RulesFeed {
  /** There may be news. */
  look(): void;
  /** The worker has placed what it was sent. */
  placed(): void;
}

/**
 * A set that is being sent goes through to its end before a newer one is looked at, so that rules which change faster than
 * they can be sent still move; what came and went meanwhile is passed over.
 */
export function rulesFeed(news: RulesNews, send: (message: ToWorker) => void): RulesFeed {
  let told: ReturnType<RulesNews['loaded']> = null;
  let toldRefusal: ReturnType<RulesNews['refused']> = null;
  let sending: { readonly slices: Iterator<Slice>; isWhole: boolean } | null = null;

  function look(): void {
    if (sending !== null) return;
    const loaded = news.loaded();
    const refused = news.refused();
    if (loaded !== null && loaded !== told) {
      const again = loaded.ruleset === told?.ruleset;
      told = loaded;
      toldRefusal = null;
      sending = { slices: again ? [][Symbol.iterator]() : slicesOf(loaded.ruleset), isWhole: false };
      sendNext();
    } else if (refused !== null && refused !== toldRefusal) {
      toldRefusal = refused;
      send({ kind: 'refused', problems: refused.problems, files: refused.files });
      send({ kind: 'up to date' });
    } else {
      send({ kind: 'up to date' });
    }
  }

  function sendNext(): void {
    if (sending === null || told === null) return;
    const { value, done } = sending.slices.next();
    if (done !== true) {
      send({ kind: 'slice', slice: value });
      return;
    }
    sending.isWhole = true;
    send({ kind: 'rules', generation: told.ruleset.generation, files: told.files });
  }

  return {
    look,
    placed() {
      if (sending?.isWhole === true) {
        sending = null;
        look();
      } else {
        sendNext();
      }
    },
  };
}
