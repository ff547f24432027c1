import { fileURLToPath } from 'node:url';
import { interopPython } from '../foreign/toolchain.ts';
import { clientSuite } from './client-suite.ts';

clientSuite({
  name: 'grpcio of Python',
  needs: 'python3',
  program: async () => [await interopPython(), fileURLToPath(new URL('./python/client.py', import.meta.url))],
});
