import { serviceNamed } from '../../../src/grpc/protos.ts';
import { framed } from '../load.ts';

/** What is asked, again and again. */
export interface Scenario {
  readonly name: string;
  /** Counters in Redis that the calls spread over, at random; 1: of each descriptor. */
  readonly keys: 1 | 100_000;
  readonly descriptors: 1 | 10;
  readonly answer: 'allowed' | 'denied';
}

export const SCENARIOS: readonly Scenario[] = ([1, 100_000] as const).flatMap((keys) =>
  ([1, 10] as const).flatMap((descriptors) =>
    (['allowed', 'denied'] as const).map((answer) => ({
      name: `${keys === 1 ? 'hot' : '100k'}-${descriptors}-${answer}`,
      keys,
      descriptors,
      answer,
    })),
  ),
);

const DOMAIN = 'bench';
const DESCRIPTORS = 10;

/**
 * For both services. A window of a year, so that none ends in the middle; of those that shall be denied, everybody's
 * first call is allowed. Neither service answers from its own memory unless it is told to, so each call asks Redis.
 */
export function rulesOfScenarios(): string {
  const rule = (key: string, limit: number): string =>
    `  - key: ${key}\n    rate_limit: { unit: year, requests_per_unit: ${limit} }\n`;
  const all = Array.from({ length: DESCRIPTORS }, (_, i) => rule(`allowed${i}`, 4_000_000_000) + rule(`denied${i}`, 1));
  return `domain: ${DOMAIN}\ndescriptors:\n${all.join('')}`;
}

/** The gRPC messages of a scenario: one, but for the digits that name the user. */
export interface Messages {
  readonly count: number;
  readonly bytes: number;
  write(to: Uint8Array, at: number, user: number): void;
}

const DIGITS = 6;

export function messagesOf({ keys, descriptors, answer }: Scenario): Messages {
  const method = serviceNamed('envoy.service.ratelimit.v3.RateLimitService').ShouldRateLimit;
  if (method === undefined) throw new Error('rls.proto lacks ShouldRateLimit');
  const nobody = '#'.repeat(DIGITS);
  const template = framed(
    method.requestSerialize({
      domain: DOMAIN,
      descriptors: Array.from({ length: descriptors }, (_, i) => ({
        entries: [{ key: `${answer}${i}`, value: `user${nobody}` }],
      })),
    }),
  );
  const places: number[] = [];
  const text = Buffer.from(template);
  for (let at = text.indexOf(nobody); at !== -1; at = text.indexOf(nobody, at + DIGITS)) places.push(at);
  return {
    // The keys are those of all descriptors together.
    count: Math.ceil(keys / descriptors),
    bytes: template.length,
    write(to, at, user) {
      to.set(template, at);
      for (const place of places) {
        for (let digit = at + place + DIGITS - 1, left = user; digit >= at + place; digit--) {
          to[digit] = 0x30 + (left % 10);
          left = Math.floor(left / 10);
        }
      }
    },
  };
}

/** overall_code of the answer that the scenario must get. */
export function codeOf({ answer }: Scenario): number {
  return answer === 'allowed' ? 1 : 2;
}
