import { parseArgs } from 'node:util';
import { endsTheGoService, withoutEffect } from './go-names.ts';
import { type MogrifierSetting, readMogrifiers } from './mogrifiers.ts';
import { EMPTY_IS_A_VALUE, flagOf, isSwitch } from './setting.ts';
import { ENTRIES, SETTINGS, type Settings, type Table } from './settings.ts';

export type SettingSource = 'flag' | 'environment' | 'default';

export interface ReadSettings {
  readonly settings: Settings;
  readonly sources: Readonly<Record<keyof Table, SettingSource>>;
  readonly mogrifiers: readonly MogrifierSetting[];
  /** Names of the Go service's environment that were set and have no effect here. */
  readonly ignored: readonly string[];
  /** What is set, does no harm here, and would end the Go service: sentences. */
  readonly warnings: readonly string[];
}

/** All that is wrong with flags and environment, a line each. Values are left out: they may be secrets. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly lines: readonly string[];
  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.lines = lines;
  }
}

/** Flags win over the environment, the environment over defaults. Throws SettingsError. */
export function readSettings(argv: readonly string[], env: NodeJS.ProcessEnv): ReadSettings {
  const { flags, wrong } = readFlags(argv);
  const values: Record<string, unknown> = {};
  const sources: Record<string, SettingSource> = {};
  for (const [name, setting] of ENTRIES) {
    const flag = flags[flagOf(setting)];
    const inEnv = env[setting.env];
    // An empty variable means "not set" to whoever writes `NAME=` in a manifest, except where empty is a value.
    const fromEnv = inEnv === '' && setting.default !== '' && !EMPTY_IS_A_VALUE.has(setting.parse) ? undefined : inEnv;
    sources[name] = flag !== undefined ? 'flag' : fromEnv !== undefined ? 'environment' : 'default';
    try {
      values[name] = setting.parse(flag ?? fromEnv ?? setting.default);
    } catch (error) {
      const where = flag === undefined ? setting.env : `--${flagOf(setting)}`;
      wrong.push(`${where}: ${(error as Error).message}`);
    }
  }
  const keys = (values as { readonly dogStatsdMogrifiers?: readonly string[] }).dogStatsdMogrifiers ?? [];
  const mogrifiers = readMogrifiers(keys, env, wrong);
  wrong.push(...misfits(values as Partial<Settings>));
  if (wrong.length > 0) throw new SettingsError(wrong);
  const settings = Object.freeze(values) as unknown as Settings;
  return {
    settings,
    sources: sources as Record<keyof Table, SettingSource>,
    mogrifiers,
    ignored: withoutEffect(env),
    warnings: endsTheGoService(env, settings),
  };
}

/** On wire: of two sizes the first must have room in the second. */
const NESTED = [
  ['grpcStreamWindowBytes', 'grpcConnectionWindowBytes'],
  ['maxMessageBytes', 'grpcMaxBufferedBytes'],
  ['grpcMaxBufferedBytes', 'grpcMaxBufferedBytesOfAll'],
] as const;

/** Settings that are right one by one, and not together. */
function misfits({ redisCommandTimeoutMs: timeoutMs = Number.POSITIVE_INFINITY, ...values }: Partial<Settings>) {
  const windows = (['redisPipelineWindowMs', 'perSecondPipelineWindowMs'] as const)
    .filter((name) => Math.ceil(values[name] ?? 0) >= timeoutMs)
    .map((name) => `${SETTINGS[name].env}: must be shorter than REDIS_COMMAND_TIMEOUT, of which it takes its part`);
  const sizes = (values.grpcTransport === 'grpc-js' ? [] : NESTED)
    .filter(([one, all]) => (values[one] ?? 0) > (values[all] ?? Number.POSITIVE_INFINITY))
    .map(([one, all]) => `${SETTINGS[one].env}: must not be more than ${SETTINGS[all].env}, of which it is a part`);
  return [...windows, ...sizes];
}

interface Flags {
  readonly flags: Readonly<Record<string, string>>;
  readonly wrong: string[];
}

/** Looks at every argument, so that all mistakes are told at once. A switch is --name, --no-name or --name=false. */
function readFlags(argv: readonly string[]): Flags {
  const switches = new Map(ENTRIES.map(([, setting]) => [flagOf(setting), isSwitch(setting)]));
  const options = [...switches].map(([flag, isOn]) => [flag, { type: isOn ? 'boolean' : 'string' } as const] as const);
  const { tokens } = parseArgs({ args: [...argv], options: Object.fromEntries(options), strict: false, tokens: true });
  const flags: Record<string, string> = {};
  const wrong = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional' || !token.rawName.startsWith('--')) {
      // Its text is not told: it may be a secret that lost its flag.
      wrong.add(`argument ${token.index + 1} is neither a flag nor the value of one`);
      continue;
    }
    const { name, rawName, value } = token;
    const positive = name.replace(/^no-/, '');
    if (switches.get(name)) flags[name] = value ?? 'true';
    else if (switches.get(positive) && value === undefined) flags[positive] = 'false';
    else if (switches.get(positive)) wrong.add(`${rawName}: takes no value`);
    else if (!switches.has(name)) wrong.add(`${rawName}: there is no such flag; weir --help lists them`);
    else if (value === undefined) wrong.add(`${rawName}: a value is missing`);
    else if (!token.inlineValue && /^-./.test(value))
      wrong.add(`${rawName}: write a value with a dash as ${rawName}=-...`);
    else flags[name] = value;
  }
  return { flags, wrong: [...wrong] };
}
