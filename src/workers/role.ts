import type { Observer } from '../core/ports.ts';
import type { RulesLoader } from '../rules/loader.ts';
import type { PrimaryLink } from './primary-link.ts';
import type { MakeProfile } from './profile-line.ts';

/** What a service that is one of several has from the primary. */
export interface Role {
  /** Counts up over all workers that were ever started; the first tells what is the same in all. */
  readonly id: number;
  /** It takes the place of one that ended, beside others that serve. */
  readonly isReplacement: boolean;
  readonly rules: (observer: Pick<Observer, 'rulesLoaded'>) => RulesLoader;
  /** The page of all workers together. */
  readonly metrics: () => Promise<string>;
  readonly reports: PrimaryLink['reports'];
  /** From now on the primary is sent profiles that this makes. */
  readonly profiles: (make: MakeProfile) => void;
}
