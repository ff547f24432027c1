import { loadSync } from '@grpc/proto-loader';
import { type ProtoFile, protoFiles } from './descriptors.ts';
import { RPC_CODE, RpcError, type StreamHandler } from './handler.ts';
import { PROTO_FILES, PROTO_OPTIONS } from './protos.ts';
import { DecodeError, Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** Field number times 8 plus wire type, of grpc.reflection.v1; v1alpha has the same ones. */
const REQUEST = {
  fileByFilename: 0x1a,
  fileContainingSymbol: 0x22,
  fileContainingExtension: 0x2a,
  allExtensionNumbersOfType: 0x32,
  listServices: 0x3a,
} as const;
const RESPONSE = { originalRequest: 0x12, files: 0x22, extensionNumbers: 0x2a, services: 0x32, error: 0x3a } as const;
const FILES = { fileDescriptorProto: 0x0a } as const;
const EXTENSION_NUMBERS = { baseTypeName: 0x0a } as const;
const SERVICES = { service: 0x0a, name: 0x0a } as const;
const ERROR = { code: 0x08, message: 0x12 } as const;
const MAX_NESTING = 10;
const VERSIONS = ['v1', 'v1alpha'] as const;

/** grpc.reflection.v1 and v1alpha over all services of proto/, for grpcurl and its like. No proto there has extensions. */
export function reflection(): Readonly<Record<string, StreamHandler>> {
  const definition = loadSync(PROTO_FILES, { ...PROTO_OPTIONS, keepCase: true });
  const files = new Map(protoFiles(definition).map((file) => [file.name, file]));
  const own = VERSIONS.map((version) => `grpc.reflection.${version}.ServerReflection`);
  const answer = answerer(files);
  const serve: StreamHandler = async (call) => {
    for await (const message of call.messages) await call.send(answer(message));
  };
  return Object.fromEntries(own.map((service) => [`/${service}/ServerReflectionInfo`, serve]));
}

function answerer(files: ReadonlyMap<string, ProtoFile>): (request: Uint8Array) => Uint8Array {
  const bySymbol = new Map(
    [...files.values()].flatMap((file) => file.symbols.map((symbol) => [symbol, file] as const)),
  );
  const services = [...files.values()].flatMap((file) => file.services);

  return function answer(request) {
    const [tag, text] = questionOf(request);
    const writer = new Writer();
    writer.begin();
    nested(writer, RESPONSE.originalRequest, () => writer.raw(request));
    const symbol = bySymbol.get(text);
    if (tag === REQUEST.listServices) writeServices(writer, services);
    else if (tag === REQUEST.fileByFilename) writeFiles(writer, files.get(text), files);
    else if (tag === REQUEST.fileContainingSymbol) writeFiles(writer, symbol, files);
    else if (tag === REQUEST.allExtensionNumbersOfType && symbol !== undefined) {
      nested(writer, RESPONSE.extensionNumbers, () => writer.text(EXTENSION_NUMBERS.baseTypeName, text));
    } else writeNotFound(writer);
    return writer.end();
  };
}

/** The last of the alternatives counts, as in every oneof. */
function questionOf(request: Uint8Array): readonly [tag: number, text: string] {
  const known: ReadonlySet<number> = new Set(Object.values(REQUEST));
  const reader = new Reader(request, MAX_NESTING);
  let question: readonly [number, string] = [0, ''];
  try {
    while (reader.more()) {
      const tag = reader.tag();
      if (known.has(tag)) question = [tag, reader.text(reader.length())];
      else reader.skip(tag);
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new RpcError(RPC_CODE.internal, `grpc: error unmarshalling request: ${error.message}`);
  }
  return question;
}

/** With all that it imports, so that one answer is enough. */
function writeFiles(writer: Writer, file: ProtoFile | undefined, files: ReadonlyMap<string, ProtoFile>): void {
  if (file === undefined) {
    writeNotFound(writer);
    return;
  }
  const needed = new Set([file]);
  for (const one of needed) for (const name of one.imports) needed.add(files.get(name)!);
  nested(writer, RESPONSE.files, () => {
    for (const { bytes } of needed) nested(writer, FILES.fileDescriptorProto, () => writer.raw(bytes));
  });
}

function writeServices(writer: Writer, services: readonly string[]): void {
  nested(writer, RESPONSE.services, () => {
    for (const name of services) nested(writer, SERVICES.service, () => writer.text(SERVICES.name, name));
  });
}

function writeNotFound(writer: Writer): void {
  nested(writer, RESPONSE.error, () => {
    writer.byte(ERROR.code);
    writer.varint(RPC_CODE.notFound);
    writer.text(ERROR.message, 'not found');
  });
}

function nested(writer: Writer, tag: number, write: () => void): void {
  writer.byte(tag);
  const mark = writer.open();
  write();
  writer.close(mark);
}
