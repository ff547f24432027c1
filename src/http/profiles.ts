import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { getHeapSnapshot } from 'node:v8';
import { cpuProfile } from './cpu-profile.ts';
import { type HttpHandler, type HttpReply, type HttpRequest, JSON_TYPE, textReply } from './exchange.ts';

export interface Profiles {
  readonly cpu: HttpHandler;
  readonly heap: HttpHandler;
}

/** As in Go's pprof. */
const DEFAULT_SECONDS = 30;
const MOST_SECONDS = 60;
/** For who reads it so slowly that it would keep others from theirs. */
const MOST_READING_MS = 120_000;

const OFF = textReply(404, 'Profiles are off. DEBUG_PROFILES=true turns them on, for callers on this host.\n');
const FROM_AFAR = textReply(403, 'Profiles are for callers on this host alone, as they hold keys and secrets.\n');
const BUSY = textReply(409, 'Another profile is being made; there is one at a time.\n');
const NOBODY = textReply(
  404,
  'No worker of that number serves now; log lines carry the numbers, and 0 is the first process.\n',
);
const NOT_GET = { ...textReply(405, 'Profiles are asked for by GET.\n'), headers: { allow: 'GET' } };
const BAD_SECONDS = textReply(400, `seconds must be a whole number from 1 to ${MOST_SECONDS}.\n`);

type ProfileKind = 'cpu' | 'heap';

/** A process whose profiles can be made: this one, or one that it stands over. */
export interface Profiled {
  readonly pid: number;
  /** The text of a .cpuprofile of so long, or of a .heapsnapshot. Destroyed when nobody wants it any more. */
  readonly profile: (of: ProfileKind, lengthMs: number) => Readable;
}

export const thisProcess: Profiled = { pid: process.pid, profile: ownProfile };

/**
 * CPU profiles and heap snapshots, one at a time, for callers on this host; with `on` false for nobody. `find` gives the
 * process that `?worker=` names by number, null when it names none: 0 is this one.
 */
export function profiles(
  on: boolean,
  find: (worker: number | null) => Profiled | null = (worker) => (worker === null || worker === 0 ? thisProcess : null),
): Profiles {
  let busy = false;

  function refusal(request: HttpRequest): HttpReply | null {
    if (!on) return OFF;
    if (!isFromThisHost(request)) return FROM_AFAR;
    if (request.method !== 'GET') return NOT_GET;
    return busy ? BUSY : null;
  }

  /** The profile, and who asks may hang up. */
  function begin({ profile }: Profiled, request: HttpRequest, of: ProfileKind, lengthMs: number): Readable {
    busy = true;
    const made = profile(of, lengthMs).on('error', () => {});
    const late = setTimeout(() => made.destroy(new Error('it took too long')), lengthMs + MOST_READING_MS).unref();
    made.once('close', () => {
      clearTimeout(late);
      busy = false;
    });
    request.onClosed(() => made.destroy(new Error('nobody waits for it')));
    return made;
  }

  return {
    async cpu(request) {
      const refused = refusal(request);
      if (refused !== null) return refused;
      const seconds = secondsOf(request.query);
      if (seconds === null) return BAD_SECONDS;
      const of = find(workerOf(request.query));
      if (of === null) return NOBODY;
      try {
        return file(of, 'cpuprofile', await text(begin(of, request, 'cpu', seconds * 1_000)));
      } catch (error) {
        return textReply(503, `The profile was not finished: ${(error as Error).message}.\n`);
      }
    },
    heap(request) {
      const refused = refusal(request);
      if (refused !== null) return refused;
      const of = find(workerOf(request.query));
      return of === null ? NOBODY : file(of, 'heapsnapshot', begin(of, request, 'heap', 0));
    },
  };
}

function ownProfile(of: ProfileKind, lengthMs: number): Readable {
  if (of === 'heap') return getHeapSnapshot();
  const gone = new AbortController();
  return new Readable({
    read() {
      cpuProfile(lengthMs, gone.signal).then(
        (made) => {
          this.push(made);
          this.push(null);
        },
        (error: Error) => this.destroy(error),
      );
    },
    destroy(error, done) {
      gone.abort();
      done(error);
    },
  });
}

/** null when it is not said. */
function workerOf(query: string): number | null {
  const said = new URLSearchParams(query).get('worker');
  if (said === null) return null;
  return /^\d{1,9}$/.test(said) ? Number(said) : Number.NaN;
}

/** null when it is not understood. */
function secondsOf(query: string): number | null {
  const text = new URLSearchParams(query).get('seconds') ?? String(DEFAULT_SECONDS);
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return seconds >= 1 && seconds <= MOST_SECONDS ? seconds : null;
}

function file({ pid }: Profiled, kind: 'cpuprofile' | 'heapsnapshot', body: HttpReply['body']): HttpReply {
  const headers = { 'content-disposition': `attachment; filename="weir-${pid}.${kind}"` };
  return { status: 200, contentType: JSON_TYPE, headers, body };
}

/** Not all of 127.0.0.0/8: a sidecar of Istio brings calls from elsewhere in from 127.0.0.6. */
const LOOPBACK = /^(?:(?:::ffff:)?127\.0\.0\.1|::1)$/i;
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;
const FORWARDED = /^(?:forwarded|via|x-real-ip|x-forwarded-.*|x-envoy-.*)$/;

/**
 * A proxy beside us connects from a loopback address too, and so does a browser here that a page elsewhere has led to us:
 * such calls are told by what they say of where they come from and whom they ask.
 */
function isFromThisHost({ peer, headers }: HttpRequest): boolean {
  if (!LOOPBACK.test(peer) || Object.keys(headers).some((name) => FORWARDED.test(name))) return false;
  return LOOPBACK_HOST.test(headers.host ?? '');
}
