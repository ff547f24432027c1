import { fileURLToPath } from 'node:url';
import { clientSuite } from './client-suite.ts';

const PROGRAM = fileURLToPath(new URL('./node/grpc-js.ts', import.meta.url));

clientSuite({
  name: 'grpc-js',
  program: async () => [process.execPath, '--import=tsx', PROGRAM],
});
