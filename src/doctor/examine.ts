import type { ReadSettings } from '../settings/read-settings.ts';
import { valueHash } from '../settings/value-hash.ts';
import { TooLate, within } from '../within.ts';
import { certificates } from './certificates.ts';
import { type Finding, fail } from './finding.ts';
import { host, thisHost } from './host.ts';
import { memory } from './memory.ts';
import { ports } from './ports.ts';
import { places } from './redis/place.ts';
import { redis } from './redis/redis.ts';
import { type RulesFound, rules } from './rules.ts';
import { type Environment, settings } from './settings.ts';

/** No check may take longer; all of them run at the same time. */
const CHECK_MS = 9_000;
/** The store waits no longer for the rules, of which it wants the names of the domains. */
const RULES_MS = 2_000;

/** All checks, in the order in which they are told. Rejects with SettingsError where the service would not start. */
export async function examine(read: ReadSettings, env: Environment): Promise<readonly Finding[]> {
  const canHash = valueHash(read.settings) !== null;
  const found: Promise<RulesFound> = rules(read, canHash);
  const domains = within(RULES_MS, found).then(
    (it) => it.domains,
    () => [],
  );
  const stores = places(read.settings).map((place) => bounded(place.room, redis(place, domains)));
  const checks = [
    settings(read, env),
    bounded(
      'rules',
      found.then(({ findings }) => findings),
    ),
    ...(stores.length === 0 ? [[memory(read.settings)]] : stores),
    certificates(read.settings),
    bounded('ports', ports(read.settings)),
    bounded('host', thisHost().then(host)),
  ];
  return (await Promise.all(checks)).flat();
}

async function bounded(room: string, check: Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await within(CHECK_MS, check);
  } catch (error) {
    if (!(error instanceof TooLate)) throw error;
    const says = `could not be looked at within ${CHECK_MS / 1_000} s`;
    return [fail(`${room}.late`, says, 'look what hangs: the network, or the file system of the rules')];
  }
}
