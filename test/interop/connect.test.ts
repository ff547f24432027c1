import { fileURLToPath } from 'node:url';
import { Missing, run } from '../foreign/toolchain.ts';
import { clientSuite } from './client-suite.ts';

const PROGRAM = fileURLToPath(new URL('./node/connect.ts', import.meta.url));

clientSuite({
  name: 'connect-node',
  needs: 'protoc',
  async program() {
    const { code, output } = await run('protoc', ['--version']);
    if (code !== 0) throw new Missing(`protoc: ${output}`);
    return [process.execPath, '--import=tsx', PROGRAM];
  },
});
