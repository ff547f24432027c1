import type { Seen } from './director.ts';

/**
 * What every foreign client does. A client is a program that is called with
 *
 *     ADDRESS CA CASE...
 *
 * where ADDRESS is `127.0.0.1:port` and CA the path of a PEM file of the authority to trust, or `-` for plain text. For
 * each case it prints one line of JSON, `{"case": NAME, ...}` with what its library made of the answers, and ends with 0.
 * It must not wait for ready channels nor retry what has left it: what fails is told. Codes are numbers.
 */
export interface Case {
  readonly name: string;
  /** What is done, on one connection unless it says otherwise. */
  readonly does: string;
  /** What is printed, beside the name. */
  readonly prints: object;
  /** What the server must have seen of it. Asked again until it holds. */
  readonly seen?: (seen: Seen, bytesRead: number) => boolean;
}

export const SPECIAL_MESSAGE = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
const MEGABYTE = 1_048_576;

export const CASES: readonly Case[] = [
  {
    name: 'unary',
    /** UnaryCall: payload of 10 bytes, response_size 32. */
    does: 'answers a unary call',
    prints: { bytes: 32 },
  },
  {
    name: 'many',
    /** 10,000 EmptyCalls, at most 64 at a time. */
    does: 'answers 10,000 calls on one connection',
    prints: { ok: 10_000 },
    seen: ({ calls }) => calls.size === 1 && [...calls.values()][0] === 10_000,
  },
  {
    name: 'concurrent',
    /** 200 UnaryCalls, begun before any has an answer, metadata `x-weir-hold: 200`: the 200th lets all be answered. */
    does: 'answers 200 calls that are open at once',
    prints: { ok: 200 },
    seen: ({ calls }) => calls.size === 1,
  },
  {
    name: 'deadline',
    /**
     * EmptyCall, so that there is a connection; then UnaryCall with a deadline of 1,000 ms and metadata
     * `x-weir-call: deadline`, `x-weir-hold: gone`.
     */
    does: 'ends a call at its deadline, which the server was told',
    prints: { code: 4 },
    seen: ({ fates }) => {
      const { timeoutMs = null, ended = null } = fates.get('deadline') ?? {};
      return timeoutMs !== null && timeoutMs > 0 && timeoutMs <= 1_000 && ended === 'gone';
    },
  },
  {
    name: 'cancel',
    /**
     * UnaryCall with metadata `x-weir-call: cancel`, `x-weir-hold: gone`. Beside it EmptyCall with
     * `x-weir-await: cancel`, which is answered once the first one has begun. Then the first one is cancelled.
     */
    does: 'ends a call that is cancelled, on both sides',
    prints: { code: 1 },
    seen: ({ fates }) => fates.get('cancel')?.ended === 'gone',
  },
  {
    name: 'large',
    /** UnaryCall: payload of 1,048,576 bytes, response_size 1,048,576. */
    does: 'carries 1 MB each way',
    prints: { bytes: MEGABYTE },
    seen: ({ largestBytes }) => largestBytes > MEGABYTE,
  },
  {
    name: 'empty',
    /** EmptyCall; then UnaryCall with an empty SimpleRequest; `bytes` are of the payload of the latter. */
    does: 'carries messages of no bytes',
    prints: { ok: 2, bytes: 0 },
    seen: ({ largestBytes }) => largestBytes === 0,
  },
  {
    name: 'gzip',
    /** UnaryCall, the request compressed by gzip: payload of 100,000 bytes of 0, response_size 32. */
    does: 'takes a request that is compressed by gzip',
    prints: { bytes: 32 },
    seen: ({ encodings, largestBytes }, bytesRead) =>
      encodings.has('gzip') && largestBytes > 100_000 && bytesRead < 20_000,
  },
  {
    name: 'metadata',
    /**
     * UnaryCall with `x-grpc-test-echo-initial: test_initial_metadata_value` and twice `x-grpc-test-echo-trailing-bin`,
     * the bytes ab ab ab and 00 ff. Printed: all values in the initial and the trailing metadata, those of bytes in hex.
     */
    does: 'brings metadata back, bytes among it',
    prints: { initial: ['test_initial_metadata_value'], trailing: ['ababab', '00ff'] },
  },
  {
    name: 'error',
    /**
     * UnaryCall with response_status of code 9 and SPECIAL_MESSAGE. `grpc-status-details-bin` is a google.rpc.Status whose
     * details are Any: `type` is the type_url, `code` and `message` are of the grpc.testing.EchoStatus in it.
     */
    does: 'tells an error with a non-ASCII message and details',
    prints: {
      code: 9,
      message: SPECIAL_MESSAGE,
      details: [{ type: 'type.googleapis.com/grpc.testing.EchoStatus', code: 9, message: SPECIAL_MESSAGE }],
    },
  },
  {
    name: 'health',
    /**
     * Health.Check of "" and then Watch of "": as each state comes, EmptyCall with `x-weir-serving: false` after the first,
     * `x-weir-serving: true` after the second; after the third the watch is cancelled. Names of the states are printed.
     */
    does: 'watches the health of the server',
    prints: { check: 'SERVING', watch: ['SERVING', 'NOT_SERVING', 'SERVING'] },
  },
  {
    name: 'reflection',
    /**
     * grpc.reflection.v1: the services listed, sorted; and `package`, that of the file which is said to have the symbol
     * grpc.health.v1.Health. For clients whose library has it.
     */
    does: 'lists services by reflection',
    prints: {
      services: ['envoy.service.ratelimit.v3.RateLimitService', 'grpc.health.v1.Health'],
      package: 'grpc.health.v1',
    },
  },
  {
    name: 'goaway',
    /**
     * 5 rounds. In each 50 UnaryCalls with `x-weir-hold: drain`, and at the same time EmptyCall with `x-weir-drain: 50`,
     * which sends GOAWAY on all connections once the 50 are held, and lets them be answered after it; and beside all
     * these 4 times 50 EmptyCalls, of each 50 one after the other. A round ends when all its calls have. `failed` lists
     * the errors as text.
     */
    does: 'loses no call to GOAWAY in mid-flight',
    prints: { ok: 5 * (50 + 1 + 4 * 50), failed: [] },
    /** A library may try a call again that never left; the sum says that it was none which had. */
    seen: ({ calls, drains }) => drains === 5 && calls.size >= 5 && sum(calls.values()) === 5 * (50 + 1 + 4 * 50),
  },
];

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, each) => total + each, 0);
}
