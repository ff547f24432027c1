#!/usr/bin/env node
import { check } from './cli/check.ts';
import { client } from './cli/client.ts';
import { doctor } from './cli/doctor.ts';
import { serve } from './cli/serve.ts';
import { settingsHelp } from './settings.ts';
import { VERSION } from './version.ts';

/** A command answers its exit code: 0 done, 1 the answer is no, 2 it was not understood or could not be done. */
type Command = (args: readonly string[]) => Promise<number>;

const LINGER_MS = 1_000;

const COMMANDS: Readonly<Record<string, Command>> = { serve, check, doctor, client };

const HELP = `weir ${VERSION}: a gRPC rate-limit decision service that speaks Envoy's ratelimit v3 API

  weir serve [settings]                  decide until SIGTERM
  weir check PATH... [--merge-domain-config]
                                         say what is wrong with rules; exit 1 if anything is
  weir doctor [settings] [--json]        say what is well and what is wrong with settings, rules, Redis and ports;
                                         changes nothing; exit 1 if anything is wrong
  weir client --domain d --descriptor key=value[,key=value] [--hits n] [--address host:port]
                                         ask once and print the answer
  weir --version

Settings of serve and doctor are flags, or environment variables of the same name in capitals with underscores
(--grpc-port is GRPC_PORT). Flags win over the environment, the environment over the defaults in brackets.
${settingsHelp()}
`;

async function main([name = '', ...args]: readonly string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if ([name, ...args].includes('--help') || name === 'help') return print(process.stdout, HELP, 0);
  if (name === '--version') return print(process.stdout, `${VERSION}\n`, 0);
  if (command === undefined) {
    const wrong = name === '' ? 'a command is missing' : `there is no command ${JSON.stringify(name)}`;
    return print(process.stderr, `weir: ${wrong}; weir --help lists them\n`, 2);
  }
  return command(args);
}

function print(stream: NodeJS.WriteStream, text: string, exitCode: number): number {
  stream.write(text);
  return exitCode;
}

process.exitCode = await main(process.argv.slice(2));
// What still hangs in the network, such as a question to a DNS that is away, is not waited for.
setTimeout(() => process.exit(), LINGER_MS).unref();
