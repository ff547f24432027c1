import { execFileSync } from 'node:child_process';
import { createFileRegistry, type DescMessage, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { ConnectError, createClient, decodeBinaryHeader, encodeBinaryHeader } from '@connectrpc/connect';
import { compressionGzip, createGrpcTransport } from '@connectrpc/connect-node';
import {
  type CallOptions,
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

/** What is called without code generation has no types. */
type Unary<T> = (request: object, options?: object) => Promise<T>;
type Streaming<T> = (requests: object, options?: object) => AsyncIterable<T>;

interface TestClient {
  readonly unaryCall: Unary<{ readonly payload?: { readonly body: Uint8Array } }>;
  readonly emptyCall: Unary<object>;
}
interface HealthClient {
  readonly check: Unary<{ readonly status: number }>;
  readonly watch: Streaming<{ readonly status: number }>;
}
interface ReflectionClient {
  readonly serverReflectionInfo: Streaming<{ readonly messageResponse: Reflected }>;
}
type Reflected =
  | { readonly case: 'listServicesResponse'; readonly value: { readonly service: readonly { name: string }[] } }
  | {
      readonly case: 'fileDescriptorResponse';
      readonly value: { readonly fileDescriptorProto: readonly Uint8Array[] };
    };

const INCLUDED = PROTO_DIRS.map((dir) => `-I${dir}`);
/** Node gives a child a socket for its output, which cannot be opened by that path; a pipe can. */
const PROTOC = 'protoc --descriptor_set_out=/dev/stdout --include_imports "$@" | cat';

const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, execFileSync('sh', ['-c', PROTOC, 'sh', ...INCLUDED, ...PROTOS])),
);
const STATES = found(registry.getEnum('grpc.health.v1.HealthCheckResponse.ServingStatus'));
const ECHO_STATUS = found(registry.getMessage('grpc.testing.EchoStatus'));

function found<T>(description: T | undefined): T {
  if (description === undefined) throw new Error('a description is missing');
  return description;
}

const open: Open = ({ address, ca, gzip }) => {
  const transport = createGrpcTransport({
    baseUrl: `${ca === null ? 'http' : 'https'}://${address}`,
    ...(ca === null ? {} : { nodeOptions: { ca } }),
    ...(gzip ? { sendCompression: compressionGzip } : {}),
  });
  const clientOf = (service: string) => createClient(found(registry.getService(service)), transport) as unknown;
  const test = clientOf('grpc.testing.TestService') as TestClient;
  const health = clientOf('grpc.health.v1.Health') as HealthClient;
  const reflection = clientOf('grpc.reflection.v1.ServerReflection') as ReflectionClient;
  const nameOf = ({ status }: { readonly status: number }) => found(STATES.value[status]).name;

  return {
    async unary(request, options = {}) {
      let header = new Headers();
      let trailer = new Headers();
      const call = test.unaryCall(simpleRequest(request), {
        ...optionsOf(options),
        onHeader: (headers: Headers) => {
          header = headers;
        },
        onTrailer: (headers: Headers) => {
          trailer = headers;
        },
      });
      const { payload } = await call.catch(fail);
      return {
        bytes: payload?.body.length ?? 0,
        initial: valuesOf(header, ECHO_INITIAL),
        trailing: valuesOf(trailer, ECHO_TRAILING).map((value) =>
          Buffer.from(decodeBinaryHeader(value)).toString('hex'),
        ),
      };
    },
    async empty(options = {}) {
      await test.emptyCall({}, optionsOf(options)).catch(fail);
    },
    check: async () => nameOf(await health.check({})),
    async *watch(signal) {
      for await (const answer of health.watch({}, { signal })) yield nameOf(answer);
    },
    async reflect(symbol) {
      const services: string[] = [];
      const packages: string[] = [];
      for await (const { messageResponse: answer } of reflection.serverReflectionInfo(questions(symbol))) {
        if (answer.case === 'listServicesResponse') services.push(...answer.value.service.map(({ name }) => name));
        else packages.push(...answer.value.fileDescriptorProto.map(packageOf));
      }
      return { services: services.sort(), package: packages[0] ?? '' };
    },
    // Its connection ends with the process.
    close() {},
  } satisfies Library;
};

async function* questions(symbol: string): AsyncIterable<object> {
  yield { messageRequest: { case: 'listServices', value: '' } };
  yield { messageRequest: { case: 'fileContainingSymbol', value: symbol } };
}

const packageOf = (file: Uint8Array): string => fromBinary(FileDescriptorProtoSchema, file).package;

function optionsOf({ metadata = [], timeoutMs, signal }: CallOptions): object {
  const headers = new Headers();
  for (const [name, value] of metadata) {
    headers.append(name, typeof value === 'string' ? value : encodeBinaryHeader(value));
  }
  return {
    headers,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** Headers of fetch join the values of a name. */
function valuesOf(headers: Headers, name: string): string[] {
  return headers.get(name)?.split(', ') ?? [];
}

function fail(reason: unknown): never {
  if (!(reason instanceof ConnectError)) throw reason;
  const { code, rawMessage } = reason;
  const details = reason.details.flatMap((detail) => ('type' in detail ? [detailOf(detail, ECHO_STATUS)] : []));
  throw new Failed(code, rawMessage, details);
}

/** Connect leaves the host out of the type's address. */
function detailOf({ type, value }: { readonly type: string; readonly value: Uint8Array }, as: DescMessage) {
  const status = fromBinary(as, value) as unknown as { readonly code: number; readonly message: string };
  return { type: `type.googleapis.com/${type}`, code: status.code, message: status.message };
}

await run(open);
process.exit(0);
