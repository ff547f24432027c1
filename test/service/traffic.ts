import { eventually } from '../support/eventually.ts';
import { type Caller, tally } from './caller.ts';

/** Calls without end, to see that none fails while something else happens. */
export interface Traffic {
  /** Resolves when every loop has had another answer. */
  goesOn(): Promise<void>;
  /** Ends it and tells how often each answer came. */
  end(): Promise<Record<string, number>>;
}

const LOOPS = 8;

export function traffic({ ask }: Pick<Caller, 'ask'>, request: Parameters<Caller['ask']>[0]): Traffic {
  let over = false;
  const answers: string[] = [];
  const loops = Array.from({ length: LOOPS }, async () => {
    while (!over) answers.push(await ask(request));
  });
  return {
    async goesOn() {
      const seen = answers.length;
      await eventually('traffic', () => answers.length >= seen + LOOPS);
    },
    async end() {
      over = true;
      await Promise.all(loops);
      return tally(answers);
    },
  };
}
