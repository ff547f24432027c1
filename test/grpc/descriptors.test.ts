import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { expect } from 'chai';
import { protoFiles } from '../../src/grpc/descriptors.ts';
import { PROTO_FILES, PROTO_OPTIONS } from '../../src/grpc/protos.ts';

interface Message {
  name: string;
  field?: { name: string; typeName?: string; jsonName?: string }[];
  nestedType?: Message[];
}

interface File {
  name: string;
  package: string;
  dependency?: string[];
  messageType?: Message[];
  syntax: string;
}

describe('protoFiles', () => {
  const codec = loadSync('google/protobuf/descriptor.proto')[
    'google.protobuf.FileDescriptorProto'
  ] as MessageTypeDefinition<object, object>;
  const files = protoFiles(loadSync(PROTO_FILES, { ...PROTO_OPTIONS, keepCase: true })).map(
    ({ bytes }) => codec.deserialize(bytes) as File,
  );
  const file = (name: string) => files.find((it) => it.package === name)!;
  const message = (of: File, name: string) => of.messageType!.find((it) => it.name === name)!;
  const rls = file('envoy.service.ratelimit.v3');

  it('imports every file whose types are used, and itself never', () => {
    expect(rls.dependency!.sort()).to.deep.equal([
      'envoy_config_core_v3.proto',
      'envoy_extensions_common_ratelimit_v3.proto',
      'google_protobuf.proto',
    ]);
    expect(file('envoy.extensions.common.ratelimit.v3').dependency).to.have.length(2);
    expect(file('envoy.type.v3').dependency ?? []).to.deep.equal([]);
    for (const { name, dependency = [] } of files) expect(dependency).not.to.include(name);
  });

  it('names types absolutely, those of an enclosing message included', () => {
    const types = (name: string) => message(rls, name).field!.map(({ typeName }) => typeName);
    expect(types('RateLimitRequest')).to.deep.equal([
      undefined,
      '.envoy.extensions.common.ratelimit.v3.RateLimitDescriptor',
      undefined,
    ]);
    expect(types('RateLimitResponse')[0]).to.equal('.envoy.service.ratelimit.v3.RateLimitResponse.Code');
    const status = message(rls, 'RateLimitResponse').nestedType!.find(({ name }) => name === 'DescriptorStatus')!;
    expect(status.field![0]!.typeName).to.equal('.envoy.service.ratelimit.v3.RateLimitResponse.Code');
  });

  it('names the entries of a map FieldsEntry', () => {
    const struct = message(file('google.protobuf'), 'Struct');
    expect(struct.nestedType!.map(({ name }) => name)).to.deep.equal(['FieldsEntry']);
    expect(struct.field![0]!.typeName).to.equal('.google.protobuf.Struct.FieldsEntry');
  });

  it('has names as written, their JSON names, and says proto3', () => {
    const [first] = message(rls, 'RateLimitResponse').field!;
    expect(first).to.deep.include({ name: 'overall_code', jsonName: 'overallCode' });
    expect(new Set(files.map(({ syntax }) => syntax))).to.deep.equal(new Set(['proto3']));
  });
});
