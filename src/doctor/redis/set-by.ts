import { SETTINGS } from '../../settings/settings.ts';
import type { RedisTarget } from '../../store/redis/target.ts';
import type { Place } from './place.ts';

/** The settings of one Redis, by the names that an operator knows. */
export interface Names {
  readonly url: string;
  readonly type: string;
  readonly auth: string;
  readonly authFile: string;
  readonly sentinelAuth: string;
  readonly sentinelAuthFile: string;
  readonly tls: string;
}

export const MAIN: Names = {
  url: SETTINGS.redisUrl.env,
  type: SETTINGS.redisType.env,
  auth: SETTINGS.redisAuth.env,
  authFile: SETTINGS.redisAuthFile.env,
  sentinelAuth: SETTINGS.redisSentinelAuth.env,
  sentinelAuthFile: SETTINGS.redisSentinelAuthFile.env,
  tls: SETTINGS.redisTls.env,
};

export const PER_SECOND: Names = {
  url: SETTINGS.perSecondUrl.env,
  type: SETTINGS.perSecondType.env,
  auth: SETTINGS.perSecondAuth.env,
  authFile: SETTINGS.perSecondAuthFile.env,
  sentinelAuth: SETTINGS.perSecondSentinelAuth.env,
  sentinelAuthFile: SETTINGS.perSecondSentinelAuthFile.env,
  tls: SETTINGS.perSecondTls.env,
};

/** What a server is to the settings: its address stands there, it is a sentinel there, or another server named it. */
export type Hop = 'given' | 'sentinel' | 'named by sentinels' | 'named by the cluster';

/** Where the things stand that one dial was made of, in words that follow `mend`. */
export interface SetBy {
  readonly address: string;
  /** The login that was tried; where there was none, the setting that could hold one. */
  readonly login: string;
  readonly database: string;
  /** What to do so that no TLS is spoken, or that it is. */
  readonly withoutTls: string;
  readonly withTls: string;
}

export function setBy({ names, options }: Place, hop: Hop, { password }: Pick<RedisTarget, 'password'>): SetBy {
  const { url, tls } = names;
  const [login, loginFile, loginHere, fileHere] =
    hop === 'sentinel'
      ? [names.sentinelAuth, names.sentinelAuthFile, options.sentinelAuth, options.sentinelAuthFile]
      : [names.auth, names.authFile, options.auth, options.authFile];
  const off = [
    ...(options.tls ? [`set ${tls}=false`] : []),
    ...(/rediss:/i.test(options.url) ? [`write redis:// in ${url}`] : []),
  ];
  return {
    address: ADDRESSES[hop] ?? url,
    login: fileHere ? `the file of ${loginFile}` : password && !loginHere ? `the login in ${url}` : login,
    database: options.db === undefined ? `the number after the / in ${url}` : SETTINGS.redisDb.env,
    withoutTls: off.join(' and '),
    withTls: `set ${tls}=true or write rediss:// in ${url}`,
  };
}

const ADDRESSES: Readonly<Partial<Record<Hop, string>>> = {
  'named by sentinels': 'what the sentinels say (SENTINEL MASTER)',
  'named by the cluster': 'what the cluster says (CLUSTER SLOTS)',
};

/** What to do about a server that is a replica. */
export function toMaster({ url, type }: Names, hop: Hop): string {
  switch (hop) {
    case 'named by sentinels':
      return 'a failover may be under way; if it stays so, see SENTINEL MASTER on each sentinel';
    case 'named by the cluster':
      return 'a failover may be under way; if it stays so, see redis-cli --cluster check';
    default:
      return `put the address of the master into ${url}, or use ${type}=sentinel`;
  }
}
