import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CACHE, fetched } from '../foreign/toolchain.ts';
import type { Suite } from './suites.ts';

const VERSION = '24.21.0';

/** The path of the newest long-term Node, which npm carries. Rejects with Missing when it cannot be had. */
export async function newestNode(): Promise<string> {
  const home = join(CACHE, `node-${VERSION}`);
  const name = `node-${process.platform}-${process.arch}`;
  const binary = join(home, 'node_modules', name, 'bin', 'node');
  if (!existsSync(binary)) {
    await fetched('npm', ['install', '--prefix', home, '--no-audit', '--ignore-scripts', `${name}@${VERSION}`]);
  }
  return binary;
}

/** The suite with its commands, and all that they start by the name of node, run by another Node. */
export function by(node: string, suite: Suite): Suite {
  return {
    ...suite,
    commands: suite.commands.map((words) => words.map((word) => (word === process.execPath ? node : word))),
    env: { ...suite.env, PATH: `${dirname(node)}:${process.env.PATH}` },
  };
}
