import { expect } from 'chai';
import { interopClient } from '../foreign/go-tools.ts';
import { orSkip, run } from '../foreign/toolchain.ts';
import { type Certificates, certificates } from '../support/certificates.ts';
import { type InteropServer, interopServer } from './server.ts';

/** Of gRPC's interoperability test descriptions: those for which a client and a server are enough. */
const TEST_CASES = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'status_code_and_message',
  'special_status_message',
  'unimplemented_method',
  'unimplemented_service',
  'cancel_after_begin',
  'cancel_after_first_response',
  'timeout_on_sleeping_server',
  'custom_metadata',
  // Large calls on one connection, and on one each.
  'rpc_soak',
  'channel_soak',
];
/** Of the last two. How long a call may take is no matter here. */
const SOAK = [
  ...['-soak_iterations', '100', '-soak_num_threads', '4', '-soak_overall_timeout_seconds', '100'],
  ...['-soak_per_iteration_max_acceptable_latency_ms', '100000'],
];

describe("gRPC's own interop cases, by the client of grpc-go", function () {
  this.timeout(300_000);
  let authority: Certificates;

  before(async () => {
    authority = await certificates();
  });

  after(() => authority?.remove());

  for (const over of ['plain text', 'TLS'] as const) {
    describe(`over ${over}`, () => {
      let server: InteropServer;

      before(async () => {
        server = await interopServer(over === 'TLS' ? await authority.sign('DNS:weir.test') : undefined);
      });

      after(() => server?.close());

      for (const name of TEST_CASES) {
        it(`passes ${name} (needs go)`, async function () {
          const client = await orSkip(this, interopClient);
          const secure = ['-use_tls', '-ca_file', authority.ca, '-server_host_override', 'weir.test'];
          const { code, output } = await run(client, [
            ...['-server_host', '127.0.0.1', '-server_port', String(server.port), '-test_case', name],
            ...SOAK,
            ...(over === 'TLS' ? [...secure, '-use_test_ca'] : []),
          ]);
          expect(code, output).to.equal(0);
          expect(server.failures, 'connections that were ended for an error').to.deep.equal([]);
        });
      }
    });
  }
});
