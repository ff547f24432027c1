import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { expect } from 'chai';
import { PROTO_OPTIONS } from '../../src/grpc/protos.ts';
import { skip } from '../support/skip.ts';

/** The slow part is pip, once. */
const INSTALL_TIMEOUT_MS = 300_000;

interface Field {
  number: number;
  type: string;
  repeated: boolean;
  /** Full name of the message or enum; ours is written as in the file, so it is a tail of it. */
  of?: string | null;
}

interface Method {
  takes: string;
  gives: string;
  streams: [boolean, boolean];
}

interface Tables {
  messages: Record<string, Record<string, Field> | null>;
  enums: Record<string, Record<string, number> | null>;
  services: Record<string, Record<string, Method> | null>;
}

/** What a published package does not have although we do, and the other one does. */
const NEWER_THAN: Readonly<Record<string, readonly string[]>> = {
  'xds-protos': ['envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.is_negative_hits'],
  'envoy-data-plane': [],
};

/** Where ours is a part of the message: every field of it is compared, and others may be there. */
const PARTS: readonly string[] = [
  'envoy.config.core.v3.Node',
  'envoy.service.discovery.v3.DiscoveryRequest',
  'envoy.service.discovery.v3.DiscoveryResponse',
];

const ours = tablesOf(
  loadSync(
    ['envoy/service/ratelimit/v3/rls.proto', 'envoy/service/discovery/v3/ads.proto', 'grpc/health/v1/health.proto'],
    { ...PROTO_OPTIONS, keepCase: true },
  ),
);

describe('proto/', () => {
  let theirs: Record<string, Tables>;

  before(async function () {
    this.timeout(INSTALL_TIMEOUT_MS);
    try {
      theirs = await publishedTables();
    } catch (error) {
      if (process.env.REQUIRE_ALL === '1') throw error;
      console.log(`      not tested: proto/ against published packages (${(error as Error).message})`);
      skip(this, 'python3 or the packages are missing');
    }
  });

  it('declares 14 messages, 4 enums and 3 services, and each is compared', () => {
    expect(Object.keys(ours.messages).sort()).to.deep.equal(
      [
        'envoy.config.core.v3.HeaderValue',
        ...PARTS,
        'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor',
        'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.Entry',
        'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.RateLimitOverride',
        'envoy.service.ratelimit.v3.RateLimitRequest',
        'envoy.service.ratelimit.v3.RateLimitResponse',
        'envoy.service.ratelimit.v3.RateLimitResponse.DescriptorStatus',
        'envoy.service.ratelimit.v3.RateLimitResponse.Quota',
        'envoy.service.ratelimit.v3.RateLimitResponse.RateLimit',
        'grpc.health.v1.HealthCheckRequest',
        'grpc.health.v1.HealthCheckResponse',
      ].sort(),
    );
    expect(Object.keys(ours.enums)).to.have.length(4);
    expect(Object.keys(ours.services)).to.have.length(3);
  });

  for (const [name, fields] of Object.entries(ours.messages)) {
    for (const published of packagesFor(name)) {
      it(`${name} has the fields that ${published} has`, () => {
        const real = theirs[published]!.messages[name];
        expect(real, `${published} has no ${name}`).to.be.an('object');
        const newer = NEWER_THAN[published]!;
        const known = Object.entries(fields!).filter(([field]) => !newer.includes(`${name}.${field}`));
        const compared = Object.keys(real!).filter((field) => !PARTS.includes(name) || Object.hasOwn(fields!, field));
        expect(compared.sort()).to.deep.equal(known.map(([field]) => field).sort());
        expect(known).to.have.length.greaterThan(0);
        for (const [field, { of, ...mine }] of known) {
          const { of: realOf, ...rest } = real![field]!;
          expect(mine, field).to.deep.equal(rest);
          if (typeof realOf === 'string')
            expect(`.${realOf}`, field).to.satisfy((full: string) => full.endsWith(`.${of}`));
        }
      });
    }
  }

  for (const [name, values] of Object.entries(ours.enums)) {
    for (const published of packagesFor(name)) {
      it(`${name} has the numbers that ${published} has`, () => {
        expect(values).to.deep.equal(theirs[published]!.enums[name]);
      });
    }
  }

  for (const [name, methods] of Object.entries(ours.services)) {
    it(`${name} has methods that the published service has`, () => {
      const real = theirs['xds-protos']!.services[name];
      expect(Object.keys(methods!)).to.have.length.greaterThan(0);
      for (const [method, mine] of Object.entries(methods!)) expect(real?.[method]).to.deep.equal(mine);
    });
  }

  it('has is_negative_hits as field 4, which only envoy-data-plane knows', () => {
    const name = 'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor';
    expect(theirs['envoy-data-plane']!.messages[name]).to.have.nested.property('is_negative_hits.number', 4);
    expect(theirs['xds-protos']!.messages[name]).not.to.have.property('is_negative_hits');
  });
});

/** envoy-data-plane has Envoy's API alone. */
function packagesFor(name: string): string[] {
  return name.startsWith('envoy.') ? Object.keys(NEWER_THAN) : ['xds-protos'];
}

async function publishedTables(): Promise<Record<string, Tables>> {
  const python = (await run('sh', [beside('protos.sh')], '')).trim();
  const names = Object.fromEntries(Object.entries(ours).map(([kind, table]) => [kind, Object.keys(table)]));
  return JSON.parse(await run(python, [beside('protos.py')], JSON.stringify(names)));
}

function beside(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

async function run(command: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn(command, args, { stdio: 'pipe' });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number];
  const [out, err] = await output;
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}: ${err.trim().split('\n').at(-1)}`);
  return out;
}

interface DescriptorProto {
  name: string;
  field: { name: string; number: number; type: string; label: string; typeName: string }[];
  nestedType: DescriptorProto[];
  enumType: EnumDescriptorProto[];
}

interface EnumDescriptorProto {
  name: string;
  value: { name: string; number: number }[];
}

function tablesOf(definition: PackageDefinition): Tables {
  const tables: Tables = { messages: {}, enums: {}, services: {} };
  for (const [name, item] of Object.entries(definition)) {
    if (name.startsWith('google.')) continue;
    if ('format' in item && item.format === 'Protocol Buffer 3 DescriptorProto') {
      addMessage(tables, name, item.type as DescriptorProto);
    } else if ('format' in item) {
      addEnum(tables, name, item.type as EnumDescriptorProto);
    } else {
      tables.services[name] = Object.fromEntries(
        Object.entries(item).map(([method, { requestType, responseType, requestStream, responseStream }]) => {
          const fullName = (type: unknown) =>
            `${name.slice(0, name.lastIndexOf('.'))}.${(type as DescriptorProto).name}`;
          const takes = fullName(requestType.type);
          return [method, { takes, gives: fullName(responseType.type), streams: [requestStream, responseStream] }];
        }),
      );
    }
  }
  return tables;
}

function addMessage(tables: Tables, name: string, { field, nestedType, enumType }: DescriptorProto): void {
  const fields = field.map((one): [string, Field] => [
    one.name,
    {
      number: one.number,
      type: one.type.replace('TYPE_', '').toLowerCase(),
      repeated: one.label === 'LABEL_REPEATED',
      of: one.typeName,
    },
  ]);
  tables.messages[name] = Object.fromEntries(fields);
  for (const nested of nestedType) addMessage(tables, `${name}.${nested.name}`, nested);
  for (const nested of enumType) addEnum(tables, `${name}.${nested.name}`, nested);
}

function addEnum(tables: Tables, name: string, { value }: EnumDescriptorProto): void {
  tables.enums[name] = Object.fromEntries(value.map((one) => [one.name, one.number]));
}
