import type { Problem, RulesDocument } from '../../src/core/ports.ts';
import type { RulesSource } from '../../src/rules/loader.ts';

/** A source that gives what the test hands it. */
export function handSource(first: readonly RulesDocument[]): RulesSource & { stops: number } {
  const source = {
    name: 'hand',
    stops: 0,
    onDocuments: (_: readonly RulesDocument[]) => {},
    onUnreadable: (_: readonly Problem[]) => {},
    start: async () => source.onDocuments(first),
    stop: async () => void source.stops++,
  };
  return source;
}
