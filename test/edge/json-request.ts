import fc from 'fast-check';
import { DOMAINS } from './rules.ts';

const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('user', 'path', 'plan', 'x', 'a_b', 'u1', '', '\0', '__proto__', '\ud800') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom(1, 70_000).map((length) => 'v'.repeat(length)) },
);
const amount = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.constantFrom(-1, 1.5, 1e2, 2 ** 32, 2 ** 63, '3', '18446744073709551615', '1e999999999', ' 1', '', null),
);
const unit = fc.constantFrom<unknown>('HOUR', 'DAY', 'hour', 'UNKNOWN', 'WEEK', 1, 7, 0, 99, -1, 1.5, null, {}, 'YEAR');
const odd = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.constant([]) },
);

const descriptor = fc.record(
  {
    entries: fc.oneof(
      { weight: 9, arbitrary: fc.array(fc.record({ key: text, value: text }), { maxLength: 4 }) },
      { weight: 1, arbitrary: odd },
    ),
    limit: fc.record({ requestsPerUnit: amount, unit }),
    hitsAddend: amount,
    isNegativeHits: fc.constantFrom<unknown>(true, false, null, 'true', 1),
  },
  { requiredKeys: ['entries'] },
);
const request = fc.record(
  {
    domain: fc.oneof({ weight: 9, arbitrary: fc.constantFrom<unknown>(...DOMAINS) }, { weight: 1, arbitrary: odd }),
    descriptors: fc.oneof(
      { weight: 9, arbitrary: fc.array(descriptor, { maxLength: 4 }) },
      { weight: 1, arbitrary: odd },
    ),
    hitsAddend: amount,
    unknown: odd,
  },
  { requiredKeys: ['domain', 'descriptors'] },
);
/** As most callers send it: nothing odd. */
const plain = fc.record({
  domain: fc.constantFrom(...DOMAINS),
  descriptors: fc.array(
    fc.record({
      entries: fc.array(fc.record({ key: fc.constantFrom('user', 'path', 'x'), value: fc.constantFrom('a', 'b') }), {
        minLength: 1,
        maxLength: 2,
      }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

const place = fc.double({ min: 0, max: 0.999, noNaN: true });
const broken = fc.tuple(request, place, fc.uint8Array({ maxLength: 6 }), fc.boolean()).map(([it, at, more, cut]) => {
  const whole = Buffer.from(JSON.stringify(it));
  const from = Math.floor(at * whole.length);
  const rest = cut ? Buffer.alloc(0) : whole.subarray(from + more.length);
  return Buffer.concat([whole.subarray(0, from), more, rest]);
});
const strange = fc.constantFrom(
  '',
  ' ',
  'null',
  '{}',
  '[]',
  '"',
  '{"domain":"fuzz","domain":"fuzz","descriptors":[{"entries":[{"key":"user"}]}]}',
  '{"domain":"fuzz","descriptors":[{"entries":[{"key":"\\ud800"}]}]}',
  `${'['.repeat(100_000)}`,
  `{"descriptors":${'[{"entries":'.repeat(20_000)}`,
  `{"domain":"fuzz","hitsAddend":${'9'.repeat(100_000)}}`,
  '\ufeff{"domain":"fuzz"}',
);

/** Bodies for /json: right, odd, broken, and no JSON at all. */
export const jsonBody: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 40, arbitrary: plain.map((it) => Buffer.from(JSON.stringify(it))) },
  { weight: 35, arbitrary: request.map((it) => Buffer.from(JSON.stringify(it))) },
  { weight: 20, arbitrary: broken },
  { weight: 2, arbitrary: strange.map((it) => Buffer.from(it)) },
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 60 }).map((it) => Buffer.from(it)) },
);
