import { fileURLToPath } from 'node:url';
import { clientSuite } from './client-suite.ts';
import { mavenProgram } from './maven.ts';
import { TEST_PROTOS } from './messages.ts';

/** Each case is a JVM of its own, which lives for a second: it should start quickly, and need not be quick. */
const QUICK_START = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
const SOURCE = fileURLToPath(new URL('./java', import.meta.url));

clientSuite({
  name: 'grpc-java on netty',
  needs: 'java and mvn',
  program: async () => {
    const classPath = await mavenProgram(SOURCE, 'weir-interop-client', [SOURCE, TEST_PROTOS]);
    return ['java', ...QUICK_START, '-cp', classPath, 'weir.interop.Client'];
  },
});
