import { lstat, stat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';

/** `stale`: the file of a process that is gone. `other`: no socket at all. */
export type SocketFile = 'absent' | 'stale' | 'live' | 'other';

/** What is where a unix socket is wanted. Rejects with the system's error when that cannot be told. */
export async function socketFile(path: string): Promise<SocketFile> {
  try {
    // A connection to what is no socket is refused just as that to a stale one.
    if (!(await lstat(path)).isSocket()) return 'other';
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'absent';
    throw error;
  }
  return answers(path);
}

/** Takes away what a dead process left. Rejects with a sentence when something else is there, or no directory. */
export async function makeRoom(path: string): Promise<void> {
  const found = await socketFile(path);
  // Node itself says of this that a permission is missing.
  if (found === 'absent' && !(await exists(dirname(path)))) throw new Error(`there is no directory ${dirname(path)}`);
  if (found === 'live') throw new Error('another process serves there');
  if (found === 'other') throw new Error('there is a file that is no socket');
  if (found === 'stale') await unlink(path);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error) => codeOf(error) !== 'ENOENT',
  );
}

function answers(path: string): Promise<'stale' | 'live'> {
  return new Promise((resolve, reject) => {
    const dialled = connect(path, () => {
      dialled.destroy();
      resolve('live');
    });
    dialled.on('error', (error) => {
      const code = codeOf(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve('stale');
      // Its queue is full, so somebody has one.
      else if (code === 'EAGAIN') resolve('live');
      else reject(error);
    });
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
