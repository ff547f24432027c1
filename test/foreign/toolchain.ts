import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { skip } from '../support/skip.ts';

const PYTHON_PACKAGES = ['envoy-data-plane==2.2.0', 'grpcio==1.85.1'];
const OTLP_PACKAGES = ['opentelemetry-proto==1.45.2', 'grpcio==1.85.1'];

export const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'weir');
const GO_BIN = join(CACHE, 'go', 'bin');
const HERE = fileURLToPath(new URL('.', import.meta.url));

const INTEROP_PACKAGES = ['grpcio', 'grpcio-tools', 'grpcio-status', 'grpcio-health-checking', 'grpcio-reflection'].map(
  (name) => `${name}==1.85.1`,
);

export interface GoTool {
  readonly module: string;
  readonly version: string;
}

/** A toolchain is not there, or what it should fetch cannot be had. */
export class Missing extends Error {
  override readonly name = 'Missing';
}

/** The path of a Go program of others, built below the cache directory the first time. */
export async function goTool({ module, version }: GoTool): Promise<string> {
  const name = basename(module);
  const folder = join(GO_BIN, `${name}-${version}`);
  const binary = join(folder, name);
  if (!existsSync(binary)) await fetched('go', ['install', `${module}@${version}`], { GOBIN: folder });
  return binary;
}

/** The path of the Go client of this folder. */
export function goClient(): Promise<string> {
  return goProgram(join(HERE, 'go'), 'weir-foreign-client');
}

/** The path of a Go program of the tests. Go's own cache makes a second build cheap. */
export async function goProgram(source: string, name: string): Promise<string> {
  await fetched('go', ['-C', source, 'mod', 'download']);
  const binary = join(GO_BIN, name);
  await mkdir(GO_BIN, { recursive: true });
  await succeeded('go', ['-C', source, 'build', '-o', binary, '.']);
  return binary;
}

/** The path of a Python that has envoy-data-plane. */
export function python(): Promise<string> {
  return pythonWith(PYTHON_PACKAGES, 'import grpc, envoy_data_plane.envoy.service.ratelimit.v3');
}

/** The path of a Python that has the messages and services of OTLP. */
export function otlpPython(): Promise<string> {
  return pythonWith(OTLP_PACKAGES, 'import grpc, opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc');
}

/** The path of a Python that has grpcio and what comes beside it. */
export function interopPython(): Promise<string> {
  return pythonWith(INTEROP_PACKAGES, 'import grpc_tools, grpc_status, grpc_health, grpc_reflection');
}

/**
 * The path of the program `name` of a Cargo package of the tests, whose build needs protoc. Its dependencies are compiled
 * once for each lock file; Cargo itself sees what else has changed since.
 */
export async function rustProgram(source: string, name: string): Promise<string> {
  const { code, output } = await run('protoc', ['--version']);
  if (code !== 0) throw new Missing(`protoc: ${output}`);
  const manifest = ['--locked', '--quiet', '--manifest-path', join(source, 'Cargo.toml')];
  await fetched('cargo', ['fetch', ...manifest]);
  const key = createHash('sha256').update(await readFile(join(source, 'Cargo.lock')));
  const target = join(CACHE, `rust-${name}-${key.digest('hex').slice(0, 12)}`);
  await succeeded('cargo', ['build', '--offline', ...manifest], { CARGO_TARGET_DIR: target });
  return join(target, 'debug', name);
}

/** In a virtual environment named for the versions, below the cache directory. */
export async function pythonWith(packages: readonly string[], proof: string): Promise<string> {
  const home = join(CACHE, `python-${packages.join('-').replaceAll('==', '-')}`);
  const binary = join(home, 'bin', 'python');
  const works = ['-c', proof];
  if (existsSync(binary) && (await run(binary, works)).code === 0) return binary;
  await fetched('python3', ['-m', 'venv', '--clear', home]);
  await fetched(binary, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages]);
  await succeeded(binary, works);
  return binary;
}

/**
 * What could not be had is a skip that names it, and a failure with REQUIRE_ALL=1. Whatever was fetched must then build
 * and run: that is no matter of the machine.
 */
export async function orSkip<T>(test: Mocha.Context, tool: () => Promise<T>): Promise<T> {
  try {
    return await tool();
  } catch (error) {
    if (!(error instanceof Missing) || process.env.REQUIRE_ALL === '1') throw error;
    console.log(`      not tested: ${test.test?.title}: ${error.message}`);
    return skip(test, error.message);
  }
}

/** Runs a command that asks the network for something. */
export async function fetched(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  const { code, output } = await run(command, args, env);
  if (code !== 0) throw new Missing(`${command} ${args.join(' ')}: ${output.trim().split('\n').slice(-3).join(' / ')}`);
}

async function succeeded(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<void> {
  const { code, output } = await run(command, args, env);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${output}`);
}

/** Rejects with Missing when there is no such command. */
export async function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
  cwd?: string,
): Promise<{ readonly code: number | null; readonly output: string }> {
  let child: OwnProcess;
  try {
    child = await ownProcess({
      name: command,
      command,
      args,
      env: { ...settingsOfFetchers(), ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
  } catch (error) {
    throw new Missing((error as Error).message);
  }
  const { code } = await child.ended;
  return { code, output: child.output() };
}

/** Mirrors and certificates that this machine's go, pip and npm are told about in the environment. */
function settingsOfFetchers(): Record<string, string> {
  const names =
    /^(GO(PROXY|FLAGS|SUMDB|NOSUMDB|PRIVATE|PATH|MODCACHE|CACHE|TOOLCHAIN)$|CARGO_(HOME$|HTTP_|NET_|REGISTR)|RUSTUP_|PIP_|npm_config_|NODE_EXTRA_CA_CERTS$|SSL_CERT_|REQUESTS_CA_BUNDLE$|(https?|no)_proxy$)/i;
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => names.test(entry[0])),
  );
}
