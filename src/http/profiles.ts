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
/** For who reads a snapshot so slowly that it would keep others from theirs. */
const MOST_SNAPSHOT_MS = 120_000;

const OFF = textReply(404, 'Profiles are off. DEBUG_PROFILES=true turns them on, for callers on this host.\n');
const FROM_AFAR = textReply(403, 'Profiles are for callers on this host alone, as they hold keys and secrets.\n');
const BUSY = textReply(409, 'Another profile is being made; there is one at a time.\n');
const NOT_GET = { ...textReply(405, 'Profiles are asked for by GET.\n'), headers: { allow: 'GET' } };
const BAD_SECONDS = textReply(400, `seconds must be a whole number from 1 to ${MOST_SECONDS}.\n`);

/** CPU profiles and heap snapshots, one at a time, for callers on this host; with `on` false for nobody. */
export function profiles(on: boolean): Profiles {
  let busy = false;

  function refusal(request: HttpRequest): HttpReply | null {
    if (!on) return OFF;
    if (!isFromThisHost(request)) return FROM_AFAR;
    if (request.method !== 'GET') return NOT_GET;
    return busy ? BUSY : null;
  }

  return {
    async cpu(request) {
      const refused = refusal(request);
      if (refused !== null) return refused;
      const seconds = secondsOf(request.query);
      if (seconds === null) return BAD_SECONDS;
      const gone = new AbortController();
      request.onClosed(() => gone.abort());
      busy = true;
      try {
        return file('cpuprofile', await cpuProfile(seconds * 1_000, gone.signal));
      } finally {
        busy = false;
      }
    },
    heap(request) {
      const refused = refusal(request);
      if (refused !== null) return refused;
      const snapshot = getHeapSnapshot();
      busy = true;
      const late = setTimeout(() => snapshot.destroy(), MOST_SNAPSHOT_MS).unref();
      snapshot.once('close', () => {
        clearTimeout(late);
        busy = false;
      });
      request.onClosed(() => snapshot.destroy());
      return file('heapsnapshot', snapshot);
    },
  };
}

/** null when it is not understood. */
function secondsOf(query: string): number | null {
  const text = new URLSearchParams(query).get('seconds') ?? String(DEFAULT_SECONDS);
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return seconds >= 1 && seconds <= MOST_SECONDS ? seconds : null;
}

function file(kind: 'cpuprofile' | 'heapsnapshot', body: HttpReply['body']): HttpReply {
  const headers = { 'content-disposition': `attachment; filename="weir-${process.pid}.${kind}"` };
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
