import { examine } from '../doctor/examine.ts';
import { type Finding, findingsJson, formatFindings } from '../doctor/finding.ts';
import { wrongSettings } from '../doctor/settings.ts';
import { readSettings, SettingsError } from '../settings/read-settings.ts';

/** Where a command writes. */
interface Out {
  write(text: string): unknown;
}

export const DOCTOR_HELP = `weir doctor [settings]           say what is well and what is wrong

  Takes the settings of weir serve and looks at them, the rules, the store, the ports and the host. Changes nothing.
  So give it what weir serve gets, as in: weir doctor --rules PATH --redis-url HOST:PORT
  --json                            the findings as data

Exit code: 0 nothing fails, 1 something does, 2 weir serve would not start with these settings.
`;

const JSON_FLAG = '--json';

/** `weir doctor`: exit code 0 when nothing fails, 1 when something does, 2 for settings that serve would not start with. */
export async function doctor(args: readonly string[], out: Out = process.stdout, env = process.env): Promise<number> {
  const findings = await found(
    args.filter((arg) => arg !== JSON_FLAG),
    env,
  );
  out.write(`${(args.includes(JSON_FLAG) ? findingsJson : formatFindings)(findings)}\n`);
  if (findings.some(({ name }) => name === 'settings.wrong')) return 2;
  return findings.some(({ mark }) => mark === 'fail') ? 1 : 0;
}

async function found(args: readonly string[], env: NodeJS.ProcessEnv): Promise<readonly Finding[]> {
  try {
    return await examine(readSettings(args, env), env);
  } catch (error) {
    if (error instanceof SettingsError) return wrongSettings(error);
    throw error;
  }
}
