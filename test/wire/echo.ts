/** A wire server of its own process, for attacks, h2spec and benches: `echo.ts PORT [BOUNDS as JSON]`. */
import { wireServer } from '../../src/wire/server.ts';

const SHOULD_RATE_LIMIT = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
/** overall_code OK, and one status that says so. */
const OK = Buffer.from([0x08, 0x01, 0x12, 0x02, 0x08, 0x01]);

const [, , port, bounds = '{}'] = process.argv;

const server = wireServer({
  listeners: [{ host: '127.0.0.1', port: Number(port) }],
  methods: new Map([
    [SHOULD_RATE_LIMIT, { kind: 'unary', serve: async () => OK }],
    ['/test.T/Echo', { kind: 'unary', serve: async (message: Uint8Array) => message }],
    ['/test.T/Never', { kind: 'unary', serve: () => new Promise(() => {}) }],
  ]),
  statusOf: () => ({ code: 13, message: 'internal error' }),
  bounds: JSON.parse(bounds),
});
await server.start();
console.log('ready');
process.once('SIGTERM', () => void server.stop(1_000).then(() => process.exit(0)));
