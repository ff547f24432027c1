import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import { socketFile } from '../grpc/unix-socket.ts';
import { type Finding, fail, ok } from './finding.ts';

const NAME = 'ports.grpc';

/** The unix socket on which the service would serve gRPC. Nothing is opened there. */
export async function unixSocket(path: string): Promise<Finding> {
  const where = `the gRPC socket ${path}`;
  try {
    switch (await socketFile(path)) {
      case 'live':
        return ok(NAME, `${where} is served, by a weir if all is well`);
      case 'other':
        return fail(NAME, `${where} is a file that is no socket`, 'remove it, or give GRPC_UDS another path');
      case 'stale':
      case 'absent':
        await access(dirname(path), constants.W_OK);
        return ok(NAME, `${where} is free`);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return fail(NAME, `${where} can't be opened: ${code}`, 'mend GRPC_UDS, or the rights of its directory');
  }
}
