import { mkdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** File name -> text. */
export type Files = Readonly<Record<string, string>>;

/**
 * Puts files into a directory as Kubernetes mounts a ConfigMap or a Secret: below a folder of their own, which `..data` is
 * a link to. Again: the whole new set, by one rename.
 */
export async function mounted(directory: string, files: Files): Promise<void> {
  const data = join(directory, '..data');
  const before = await readlink(data).catch(() => null);
  const folder = `..generation_${Number(before?.replace('..generation_', '') ?? 0) + 1}`;
  await mkdir(join(directory, folder), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, folder, name), text);
  await symlink(folder, join(directory, '..data_next'));
  await rename(join(directory, '..data_next'), data);
  if (before !== null) {
    await rm(join(directory, before), { recursive: true });
    return;
  }
  for (const name of Object.keys(files)) await symlink(join('..data', name), join(directory, name));
}
