import { ProbeError } from '../../store/redis/probe.ts';
import * as scripts from '../../store/redis/scripts.ts';
import { type Finding, fail, ok } from '../finding.ts';

/** Asks one command; rejects with ProbeError when Redis refuses it. */
export type Ask = (command: string, ...args: readonly string[]) => Promise<unknown>;

export interface Account {
  /** undefined: the user called `default`. */
  readonly username: string | undefined;
  /** What counter keys begin with. */
  readonly prefix: string;
  /** Another than 0 takes a SELECT at login. */
  readonly db: number;
  /** A node of a cluster is asked for the others, and for slots on the move. */
  readonly cluster: boolean;
}

/** What the client itself sends. HELLO and AUTH need no right, and Redis is asked to set a name but need not. */
const OF_THE_CLIENT = ['evalsha', 'eval', 'ping'] as const;
const OF_A_CLUSTER = ['cluster|slots', 'asking'] as const;
const NO_SCRIPT = '0'.repeat(40);

/**
 * Each command in a form that Redis refuses, or that changes nothing, after it has looked at the rights: INCRBY by a word
 * that is no number, SET with a life of 0 seconds.
 */
const HARMLESS: Readonly<Record<string, (key: string) => readonly string[]>> = {
  get: (key) => [key],
  set: (key) => [key, '0', 'EX', '0'],
  incrby: (key) => [key, 'x'],
  expire: (key) => [key, 'x'],
  del: (key) => [key],
  time: () => [],
  ping: () => [],
  select: () => ['x'],
  'cluster|slots': () => [],
  asking: () => [],
  evalsha: () => [NO_SCRIPT, '0'],
  eval: () => ['return 1', '0'],
};

/** The commands that the scripts call, from their text. */
export function commandsOfScripts(): readonly string[] {
  const sources = Object.values(scripts).map(({ source }) => source);
  const calls = sources.flatMap((source) => [...source.matchAll(/\bp?call\('(\w+)'/g)]);
  return [...new Set(calls.map(([, command]) => command!.toLowerCase()))].sort();
}

/** Everything a user needs to count, in the order of the ACL line. */
export function commandsNeeded({ db, cluster }: Pick<Account, 'db' | 'cluster'>): readonly string[] {
  return [...OF_THE_CLIENT, ...(db === 0 ? [] : ['select']), ...(cluster ? OF_A_CLUSTER : []), ...commandsOfScripts()];
}

/** Commands that there is no harmless form for: none, unless a script has learned a new one. */
export function untried(): readonly string[] {
  return commandsNeeded({ db: 1, cluster: true }).filter((command) => HARMLESS[command] === undefined);
}

/** Tries every command that counting takes. `key` is one that nobody uses. */
export async function rights(room: string, who: string, account: Account, key: string, ask: Ask): Promise<Finding> {
  const needed = commandsNeeded(account);
  const lacking: string[] = [];
  let keyRefused = false;
  let keyAllowed = false;
  await Promise.all(
    needed.map(async (command) => {
      const args = HARMLESS[command];
      if (args === undefined) return;
      const [name, ...sub] = command.split('|') as [string, ...string[]];
      const refusal = await refusalOf(ask(name, ...sub, ...args(key)));
      if (/^NOPERM.*\bkeys?\b/.test(refusal)) keyRefused = true;
      else if (/^NOPERM/.test(refusal)) lacking.push(command);
      else if (args(key).includes(key)) keyAllowed = true;
    }),
  );
  const user = account.username ?? 'default';
  if (lacking.length === 0 && !keyRefused) {
    return ok(`${room}.rights`, `${who} lets the user ${user} run all ${needed.length} commands that counting takes`);
  }
  const refused = [
    ...(lacking.length === 0 ? [] : [`run ${lacking.sort().join(', ')}`]),
    ...(keyRefused ? [`use a key such as ${key}`] : []),
  ];
  const says = `${who} does not let the user ${user} ${refused.join(', nor ')}`;
  return fail(`${room}.rights`, says, `tell Redis: ${aclLine(account, { keys: keyRefused || !keyAllowed })}`);
}

/**
 * Adds to what the user may do, and leaves password and everything else as it is. Redis refuses a pattern of keys for a
 * user who may use all keys, so `keys` says whether one is needed.
 */
export function aclLine(account: Account, { keys }: { readonly keys: boolean }): string {
  const { username = 'default', prefix } = account;
  const pattern = `~${prefix.replaceAll(/[*?[\]\\]/g, '\\$&')}*`;
  const quoted = /[\s"'\\]/.test(pattern) ? JSON.stringify(pattern) : pattern;
  const commands = commandsNeeded(account).map((it) => `+${it}`);
  return ['ACL SETUSER', username, ...(keys ? [quoted] : []), ...commands].join(' ');
}

/** '' when Redis did it, or refused it for what it says and not for who asked. */
async function refusalOf(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
    return '';
  } catch (error) {
    if (error instanceof ProbeError && error.refusal) return error.message;
    throw error;
  }
}
