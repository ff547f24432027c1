#!/usr/bin/env node
import { CHECK_HELP, check } from './cli/check.ts';
import { CLIENT_HELP, client } from './cli/client.ts';
import { DOCTOR_HELP, doctor } from './cli/doctor.ts';
import { EXPLAIN_HELP, explain } from './cli/explain.ts';
import { HEALTH_HELP, health } from './cli/health.ts';
import { RATELIMIT_HELP, ratelimit } from './cli/ratelimit.ts';
import { SCHEMA_HELP, schema } from './cli/schema.ts';
import { SERVE_HELP, serve } from './cli/serve.ts';
import { TEST_HELP, test } from './cli/test.ts';
import { VERSION } from './version.ts';

interface Command {
  /** Answers the exit code: 0 done, 1 the answer is no, 2 it was not understood or could not be done. */
  readonly run: (args: readonly string[]) => Promise<number>;
  /** The first line is what `weir --help` shows of it. */
  readonly help: string;
}

const LINGER_MS = 1_000;

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: { run: (args) => serve(args), help: SERVE_HELP },
  ratelimit: { run: ratelimit, help: RATELIMIT_HELP },
  health: { run: (args) => health(args), help: HEALTH_HELP },
  check: { run: check, help: CHECK_HELP },
  test: { run: (args) => test(args), help: TEST_HELP },
  explain: { run: (args) => explain(args), help: EXPLAIN_HELP },
  schema: { run: (args) => schema(args), help: SCHEMA_HELP },
  doctor: { run: doctor, help: DOCTOR_HELP },
  client: { run: client, help: CLIENT_HELP },
};

async function main([name = '', ...args]: readonly string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command !== undefined)
    return args.includes('--help') ? print(process.stdout, command.help, 0) : command.run(args);
  if (name === '--help' || name === 'help') return print(process.stdout, overview(), 0);
  if (name === '--version') return print(process.stdout, `${VERSION}\n`, 0);
  const wrong = name === '' ? 'a command is missing' : `there is no command ${JSON.stringify(name)}`;
  return print(process.stderr, `weir: ${wrong}; weir --help lists them\n`, 2);
}

function overview(): string {
  const lines = Object.values(COMMANDS).map(({ help }) => `  ${help.split('\n', 1)[0]}`);
  return `weir ${VERSION}: a gRPC rate-limit decision service that speaks Envoy's ratelimit v3 API

${lines.join('\n')}

weir COMMAND --help tells all of it; weir --version tells the version.
`;
}

function print(stream: NodeJS.WriteStream, text: string, exitCode: number): number {
  stream.write(text);
  return exitCode;
}

process.exitCode = await main(process.argv.slice(2));
// What still hangs in the network, such as a question to a DNS that is away, is not waited for.
setTimeout(() => process.exit(), LINGER_MS).unref();
