import { fileURLToPath } from 'node:url';
import { goProgram } from '../foreign/toolchain.ts';
import { clientSuite } from './client-suite.ts';

clientSuite({
  name: 'grpc-go',
  needs: 'go',
  program: async () => [await goProgram(fileURLToPath(new URL('./go', import.meta.url)), 'weir-interop-client')],
});
