// The stub that the suite must see through: healthy, and OK to everything it is asked. Plain JavaScript, for it is
// started for each bed.
import { createServer } from 'node:http';
import { Server, ServerCredentials } from '@grpc/grpc-js';

const { HOST = '127.0.0.1', PORT = '8080', GRPC_HOST = '127.0.0.1', GRPC_PORT = '8081' } = process.env;

const bytes = (message) => message;

const server = new Server();
server.addService(
  {
    shouldRateLimit: {
      path: '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    },
  },
  {
    // overall_code = OK.
    shouldRateLimit: (_call, answer) => answer(null, Buffer.of(0x08, 0x01)),
  },
);

server.bindAsync(`${GRPC_HOST}:${GRPC_PORT}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  createServer((_request, response) => response.end('OK')).listen(Number(PORT), HOST);
});
process.once('SIGTERM', () => process.exit(0));
