import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { expect } from 'chai';
import fc from 'fast-check';
import { PROTO_OPTIONS } from '../../src/grpc/protos.ts';
import { compile } from '../../src/rules/compile.ts';
import { TYPE_URL } from '../../src/xds/discovery.ts';
import { readResponse } from '../../src/xds/resources.ts';
import { LAW_RUNS } from '../laws/runs.ts';

const CONFIG = loadSync('ratelimit/config/ratelimit/v3/rls_conf.proto', PROTO_OPTIONS)[
  'ratelimit.config.ratelimit.v3.RateLimitConfig'
] as MessageTypeDefinition<object, object>;

const WHOLE = CONFIG.serialize({
  name: 'r',
  domain: 'd',
  descriptors: [
    {
      key: 'k',
      value: 'v*',
      rateLimit: { unit: 'MINUTE', requestsPerUnit: 10, name: 'n', replaces: [{ name: 'm' }] },
      descriptors: [{ key: 'k2', rateLimit: { unlimited: true } }],
      metadata: { fields: { weir: { structValue: { fields: { share_threshold: { boolValue: true } } } } } },
    },
  ],
});

/** Any bytes, and a whole resource with some of its bytes changed. */
const BYTES = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.array(fc.tuple(fc.nat(WHOLE.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((changes) => {
    const bytes = Buffer.from(WHOLE);
    for (const [at, byte] of changes) bytes[at] = byte;
    return bytes;
  }),
);

describe('whatever bytes a resource has', () => {
  it('it is rules, or there are problems that name it', () => {
    fc.assert(
      fc.property(BYTES, (value) => {
        const { documents, problems } = readResponse({
          type_url: TYPE_URL,
          resources: [{ type_url: TYPE_URL, value }],
        });
        const compiled = compile(documents, { mergeDomains: false, generation: 1 });
        for (const { file, line } of [...problems, ...(compiled.ok ? [] : compiled.problems)]) {
          expect(file).to.not.equal('');
          expect(line).to.equal(0);
        }
        expect(problems.length > 0 || documents.length === 1).to.equal(true);
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
