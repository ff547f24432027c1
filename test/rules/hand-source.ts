import type { Problem, RulesDocument } from '../../src/core/ports.ts';
import type { Judgement, RulesSource } from '../../src/rules/loader.ts';

/** A source that gives what the test hands it. */
export function handSource(first: readonly RulesDocument[]): RulesSource & { stops: number } {
  const source = {
    name: 'hand',
    stops: 0,
    onDocuments: async (_: readonly RulesDocument[]): Promise<Judgement | null> => null,
    onUnreadable: (_: readonly Problem[]) => {},
    start: async () => void source.onDocuments(first),
    stop: async () => void source.stops++,
  };
  return source;
}
