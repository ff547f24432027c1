/** The yardstick: a grpc-js server that answers every call with the same bytes and does nothing else. */
import { Server, ServerCredentials } from '@grpc/grpc-js';

const OK = Buffer.from([0x08, 0x01, 0x12, 0x02, 0x08, 0x01]);
const identity = (bytes: Buffer): Buffer => bytes;

// Without channelz, as weir has it.
const server = new Server({ 'grpc.enable_channelz': 0 });
server.addService(
  {
    shouldRateLimit: {
      path: '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
      requestStream: false,
      responseStream: false,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    },
  },
  { shouldRateLimit: (_call: unknown, callback: (error: null, answer: Buffer) => void) => callback(null, OK) },
);
server.bindAsync(`127.0.0.1:${process.argv[2]}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log('ready');
});
process.once('SIGTERM', () => process.exit(0));
