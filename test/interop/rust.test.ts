import { fileURLToPath } from 'node:url';
import { rustProgram } from '../foreign/toolchain.ts';
import { clientSuite } from './client-suite.ts';

clientSuite({
  name: 'tonic',
  needs: 'cargo and protoc',
  program: async () => [await rustProgram(fileURLToPath(new URL('./rust', import.meta.url)), 'weir-interop')],
  // Its own clock ends the call, and it calls that cancelled.
  prints: { deadline: { code: 1 } },
});
