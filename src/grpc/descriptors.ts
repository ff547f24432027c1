import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';

/** The parts of google.protobuf.FileDescriptorProto that are read or corrected here; the rest passes through. */
interface FileDescriptor {
  readonly name: string;
  readonly package: string;
  readonly messageType?: readonly MessageDescriptor[];
  readonly enumType?: readonly { readonly name: string }[];
  readonly service?: readonly { readonly name: string; readonly method?: readonly { readonly name: string }[] }[];
  dependency?: string[];
}

interface MessageDescriptor {
  name: string;
  readonly field?: { readonly name: string; typeName?: string; jsonName?: string }[];
  readonly nestedType?: readonly MessageDescriptor[];
  readonly enumType?: readonly { readonly name: string }[];
  readonly options?: { readonly mapEntry?: boolean };
}

/** A file of a package definition. */
export interface ProtoFile {
  readonly name: string;
  /** Its serialized FileDescriptorProto. */
  readonly bytes: Buffer;
  /** Names of the files that it imports. */
  readonly imports: readonly string[];
  /** Full names of its messages, fields, enums, services and methods. */
  readonly symbols: readonly string[];
  /** Full names of its services alone. */
  readonly services: readonly string[];
}

/**
 * The files of a package definition, in a form that any protobuf library takes. Those of proto-loader itself name no imports, refer to types by relative names, and give map entries a name of their own,
 * all of which grpcurl and other Go clients refuse; and they have no JSON names.
 */
export function protoFiles(definition: PackageDefinition): ProtoFile[] {
  const codec = loadSync('google/protobuf/descriptor.proto')[
    'google.protobuf.FileDescriptorProto'
  ] as MessageTypeDefinition<object, object>;
  const message = Object.values(definition).find((it): it is MessageTypeDefinition<object, object> => 'format' in it);
  const files = (message?.fileDescriptorProtos ?? []).map((bytes) => codec.deserialize(bytes) as FileDescriptor);
  const fileOfType = new Map<string, string>();
  for (const file of files) {
    for (const [path, nested] of messagesOf(file.messageType, file.package)) {
      fileOfType.set(path, file.name);
      for (const { name } of nested.enumType ?? []) fileOfType.set(`${path}.${name}`, file.name);
    }
    for (const { name } of file.enumType ?? []) fileOfType.set(`${file.package}.${name}`, file.name);
  }
  for (const file of files) link(file, fileOfType);
  return files.map((file) => ({
    name: file.name,
    bytes: codec.serialize(file),
    imports: file.dependency ?? [],
    symbols: [...symbolsOf(file)],
    services: (file.service ?? []).map(({ name }) => `${file.package}.${name}`),
  }));
}

function* symbolsOf(file: FileDescriptor): Generator<string> {
  for (const [path, { field = [], enumType = [] }] of messagesOf(file.messageType, file.package)) {
    yield path;
    for (const { name } of [...field, ...enumType]) yield `${path}.${name}`;
  }
  for (const { name } of file.enumType ?? []) yield `${file.package}.${name}`;
  for (const { name, method = [] } of file.service ?? []) {
    yield `${file.package}.${name}`;
    for (const one of method) yield `${file.package}.${name}.${one.name}`;
  }
}

/** Makes type names absolute, imports the files they are in, and adds the JSON names that protoc would. */
function link(file: FileDescriptor, fileOfType: ReadonlyMap<string, string>): void {
  const imports = new Set<string>();
  for (const [path, { field = [] }] of messagesOf(file.messageType, file.package)) {
    for (const one of field) {
      one.jsonName = one.name.replaceAll(/_+(.?)/g, (_, next: string) => next.toUpperCase());
      if (one.typeName === undefined) continue;
      const found = resolve(one.typeName, path, fileOfType);
      imports.add(fileOfType.get(found)!);
      one.typeName = `.${found}`;
    }
  }
  imports.delete(file.name);
  file.dependency = [...imports];
}

/** Looks from the innermost scope outwards, as protobuf does. */
function resolve(name: string, from: string, fileOfType: ReadonlyMap<string, string>): string {
  for (let scope = from; ; scope = scope.slice(0, Math.max(0, scope.lastIndexOf('.')))) {
    const full = scope === '' ? name : `${scope}.${name}`;
    for (const candidate of [full, `${full}Entry`]) if (fileOfType.has(candidate)) return candidate;
    if (scope === '') throw new Error(`${from} refers to ${name}, which no file has`);
  }
}

/** Every message by its full name, nested ones included; map entries take the name that protobuf gives them. */
function* messagesOf(
  messages: readonly MessageDescriptor[] = [],
  scope: string,
): Generator<[path: string, message: MessageDescriptor]> {
  for (const message of messages) {
    if (message.options?.mapEntry && !message.name.endsWith('Entry')) message.name += 'Entry';
    const path = `${scope}.${message.name}`;
    yield [path, message];
    yield* messagesOf(message.nestedType, path);
  }
}
