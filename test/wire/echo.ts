/** A wire server for benches and for h2spec, in a process of its own: it answers every call with the same bytes. */
import { wireServer } from '../../src/wire/server.ts';

const OK = Buffer.from([0x08, 0x01, 0x12, 0x02, 0x08, 0x01]);
const PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

const server = wireServer({
  listeners: [{ host: '127.0.0.1', port: Number(process.argv[2]) }],
  methods: new Map([[PATH, { kind: 'unary', serve: async () => OK }]]),
  statusOf: () => ({ code: 13, message: 'internal error' }),
});
await server.start();
console.log('ready');
process.once('SIGTERM', () => void server.stop(1_000).then(() => process.exit(0)));
