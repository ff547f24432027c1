import {
  ChannelCredentials,
  type Client,
  type CallOptions as ClientCallOptions,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import {
  type CallOptions,
  type Detail,
  ECHO_INITIAL,
  ECHO_TRAILING,
  Failed,
  type Library,
  type Open,
  PROTO_DIRS,
  PROTOS,
  simpleRequest,
} from './library.ts';
import { run } from './run.ts';

interface Any {
  readonly type_url: string;
  readonly value: Buffer;
}
interface EchoStatus {
  readonly code: number;
  readonly message: string;
}
interface ReflectionAnswer {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
}
interface FileDescriptor {
  readonly package: string;
}

const GZIP = 2;

const definition = loadSync([...PROTOS, 'google/rpc/status.proto', 'google/protobuf/descriptor.proto'], {
  enums: String,
  defaults: true,
  oneofs: true,
  includeDirs: PROTO_DIRS,
});

function message<T>(name: string): MessageTypeDefinition<T, T> {
  return definition[name] as unknown as MessageTypeDefinition<T, T>;
}

function method(service: string, name: string) {
  const found = (definition[service] as ServiceDefinition)[name];
  if (found === undefined) throw new Error(`no ${service}/${name}`);
  return found;
}

const HEALTH = 'grpc.health.v1.Health';
const TEST = 'grpc.testing.TestService';

const open: Open = ({ address, ca, gzip }) => {
  const GenericClient = makeGenericClientConstructor({}, 'Generic');
  const credentials = ca === null ? ChannelCredentials.createInsecure() : ChannelCredentials.createSsl(ca);
  const client: Client = new GenericClient(address, credentials, {
    ...(gzip ? { 'grpc.default_compression_algorithm': GZIP } : {}),
  });

  function unary<T>(service: string, name: string, request: object, options: CallOptions = {}): Promise<Ended<T>> {
    const { path, requestSerialize, responseDeserialize } = method(service, name);
    return new Promise((resolve, reject) => {
      let initial = new Metadata();
      let trailing = new Metadata();
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadataOf(options),
        settingsOf(options),
        (error, response) => {
          // The status, and the trailers with it, may come after this.
          if (error !== null) reject(failure(error));
          else call.once('status', () => resolve({ response: response as T, initial, trailing }));
        },
      );
      call.once('metadata', (metadata) => {
        initial = metadata;
      });
      call.once('status', ({ metadata }) => {
        trailing = metadata;
      });
      options.signal?.addEventListener('abort', () => call.cancel());
    });
  }

  return {
    async unary(request, options) {
      const { response, initial, trailing } = await unary<{ payload: { body: Buffer } | null }>(
        TEST,
        'UnaryCall',
        simpleRequest(request),
        options,
      );
      return {
        bytes: response.payload?.body.length ?? 0,
        initial: initial.get(ECHO_INITIAL).map(String),
        trailing: trailing.get(ECHO_TRAILING).map((value) => Buffer.from(value).toString('hex')),
      };
    },
    async empty(options) {
      await unary(TEST, 'EmptyCall', {}, options);
    },
    async check() {
      return (await unary<{ status: string }>(HEALTH, 'Check', {})).response.status;
    },
    async *watch(signal) {
      const { path, requestSerialize, responseDeserialize } = method(HEALTH, 'Watch');
      const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {});
      signal.addEventListener('abort', () => call.cancel());
      for await (const { status } of call as AsyncIterable<{ status: string }>) yield status;
    },
    async reflect(symbol) {
      const { path, requestSerialize, responseDeserialize } = method(
        'grpc.reflection.v1.ServerReflection',
        'ServerReflectionInfo',
      );
      const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      call.write({ listServices: '' });
      call.write({ fileContainingSymbol: symbol });
      call.end();
      const services: string[] = [];
      const files: FileDescriptor[] = [];
      for await (const answer of call as AsyncIterable<ReflectionAnswer>) {
        services.push(...(answer.listServicesResponse?.service ?? []).map(({ name }) => name));
        const bytes = answer.fileDescriptorResponse?.fileDescriptorProto ?? [];
        const codec = message<FileDescriptor>('google.protobuf.FileDescriptorProto');
        files.push(...bytes.map((each) => codec.deserialize(each)));
      }
      return { services: services.sort(), package: files[0]?.package ?? '' };
    },
    close: () => client.close(),
  } satisfies Library;
};

interface Ended<T> {
  readonly response: T;
  readonly initial: Metadata;
  readonly trailing: Metadata;
}

function metadataOf({ metadata = [] }: CallOptions): Metadata {
  const all = new Metadata();
  for (const [name, value] of metadata) all.add(name, typeof value === 'string' ? value : Buffer.from(value));
  return all;
}

function settingsOf({ timeoutMs }: CallOptions): ClientCallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function failure({ code, details, metadata }: ServiceError): Failed {
  const [bytes] = metadata.get('grpc-status-details-bin');
  return new Failed(code, details, bytes === undefined ? [] : detailsOf(bytes as Buffer));
}

function detailsOf(bytes: Buffer): Detail[] {
  const { details } = message<{ details: readonly Any[] }>('google.rpc.Status').deserialize(bytes);
  return details.map(({ type_url: type, value }) => {
    const status = message<EchoStatus>('grpc.testing.EchoStatus').deserialize(value);
    return { type, code: status.code, message: status.message };
  });
}

await run(open);
