import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { expect } from 'chai';
import { health } from '../../src/grpc/health.ts';
import { reflection } from '../../src/grpc/reflection.ts';
import { type GrpcServer, grpcServer, type Transport } from '../../src/grpc/server.ts';
import { GRPC_BOUNDS } from './bounds.ts';
import { bytes } from './wire.ts';

const PACKAGE = dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json'));

interface Reply {
  listServicesResponse?: { service: { name: string }[] };
  fileDescriptorResponse?: { fileDescriptorProto: Buffer[] };
  errorResponse?: { errorCode: number };
}

for (const transport of ['grpc-js', 'wire'] as const) describe(`reflection on ${transport}`, () => suite(transport));

function suite(transport: Transport): void {
  let server: GrpcServer;

  before(async () => {
    const state = health();
    server = grpcServer({
      ...GRPC_BOUNDS,
      transport,
      place: { host: '127.0.0.1', port: 0 },
      handlers: {},
      streams: reflection(),
      health: state,
    });
    await server.start();
  });

  after(() => server.stop());

  for (const version of ['v1', 'v1alpha'] as const) {
    describe(version, () => {
      async function ask(question: object): Promise<Reply> {
        const file = join(PACKAGE, `build/proto/grpc/reflection/${version}/reflection.proto`);
        const definition = loadSync(file)[`grpc.reflection.${version}.ServerReflection`] as ServiceDefinition;
        const Constructor = makeGenericClientConstructor(definition, 'ServerReflection');
        const client = new Constructor(server.target()!, credentials.createInsecure());
        const stream = client.ServerReflectionInfo!();
        const replies: Reply[] = [];
        stream.on('data', (reply: Reply) => replies.push(reply));
        stream.write(question);
        stream.end();
        await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject));
        client.close();
        return replies[0]!;
      }

      it('lists the rate limit service and health', async () => {
        const { listServicesResponse } = await ask({ listServices: '*' });
        expect(listServicesResponse?.service.map(({ name }) => name).sort()).to.deep.equal([
          'envoy.service.ratelimit.v3.RateLimitService',
          'grpc.health.v1.Health',
        ]);
      });

      it('gives descriptors from which a stranger can encode is_negative_hits as field 4', async () => {
        const reply = await ask({ fileContainingSymbol: 'envoy.service.ratelimit.v3.RateLimitService' });
        const files = reply.fileDescriptorResponse!.fileDescriptorProto.map((file) => bytes(1, file));
        const stranger = loadFileDescriptorSetFromBuffer(Buffer.concat(files));
        const service = stranger['envoy.service.ratelimit.v3.RateLimitService'] as ServiceDefinition;
        const message = service.ShouldRateLimit!.requestSerialize({ descriptors: [{ is_negative_hits: true }] });
        expect([...message]).to.deep.equal([0x12, 2, 0x20, 1]);
      });

      it('answers NOT_FOUND for a symbol it does not have', async () => {
        expect((await ask({ fileContainingSymbol: 'no.such.Thing' })).errorResponse?.errorCode).to.equal(5);
      });
    });
  }
}
