import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CACHE, Missing, run } from '../foreign/toolchain.ts';

/** Where Maven and Java are told about mirrors, proxies and certificates. */
const TOLD_BY = ['JAVA_HOME', 'JAVA_TOOL_OPTIONS', 'MAVEN_OPTS', 'MAVEN_ARGS'];
/** What Maven says of what it cannot fetch; whatever else fails is a mistake in the program. */
const NOT_TO_BE_HAD = /could not be resolved|Could not (resolve|transfer|find artifact)|Non-resolvable|Unknown host/;
const KEPT_LINES = 12;
const KEY_CHARS = 16;

/**
 * The class path of the program of a folder with a pom.xml, built below the cache directory once for each content of
 * `sources`. `-Dout` is where the pom builds to: client.jar, and lib with all that it needs.
 */
export async function mavenProgram(folder: string, name: string, sources: readonly string[]): Promise<string> {
  const home = join(CACHE, 'java', `${name}-${await keyOf(sources)}`);
  if (!existsSync(home)) {
    const building = `${home}.${process.pid}`;
    try {
      await built(['-B', '-q', '-f', join(folder, 'pom.xml'), 'package', `-Dout=${building}`]);
      await rename(building, home);
    } catch (error) {
      await rm(building, { recursive: true, force: true });
      // Another run may have been quicker.
      if (!existsSync(home)) throw error;
    }
  }
  return [join(home, 'client.jar'), join(home, 'lib', '*')].join(':');
}

async function built(args: readonly string[]): Promise<void> {
  await mkdir(join(CACHE, 'java'), { recursive: true });
  const told = TOLD_BY.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  const { code, output } = await run('mvn', args, Object.fromEntries(told));
  if (code === 0) return;
  const said = `mvn ended with ${code}\n${output.trim().split('\n').slice(-KEPT_LINES).join('\n')}`;
  throw NOT_TO_BE_HAD.test(output) ? new Missing(said) : new Error(said);
}

/** A digest of all files of the folders, their names among it. */
async function keyOf(folders: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const folder of folders) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const path of paths.sort()) hash.update(path.slice(folder.length)).update(await readFile(path));
  }
  return hash.digest('hex').slice(0, KEY_CHARS);
}
