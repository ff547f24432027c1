import { Metadata } from '@grpc/grpc-js';
import type { Judgement, RulesSource } from '../rules/loader.ts';
import { formatProblems } from '../rules/problem.ts';
import { type AdsStream, adsStream } from './ads-stream.ts';
import { type BackoffOptions, waitMs } from './backoff.ts';
import { type ControlPlaneOptions, controlPlane } from './control-plane.ts';
import { dialogue } from './dialogue.ts';
import { type DiscoveryResponse, nodeOf } from './discovery.ts';
import { readResponse } from './resources.ts';

export interface XdsOptions extends ControlPlaneOptions {
  readonly node: { readonly id: string; readonly metadata: Readonly<Record<string, string>> };
  /** Sent with each stream, as gRPC metadata. */
  readonly headers: Readonly<Record<string, string>>;
  readonly backoff: BackoffOptions;
  /** Of weir, for the control plane to show. */
  readonly version: string;
  readonly onConnected: () => void;
  /** A stream ended, and another is opened after the wait. */
  readonly onDisconnected: (because: string, retryMs: number) => void;
  /** 0 <= random() < 1. */
  readonly random: () => number;
}

export interface XdsNumbers {
  readonly connected: boolean;
  /** Streams that stood. */
  readonly connects: number;
  /** Responses whose set was accepted, or refused. */
  readonly accepted: number;
  readonly refused: number;
  /** When a response was accepted last, in milliseconds since the epoch; 0 before the first. */
  readonly acceptedAtMs: number;
}

export interface XdsSource extends RulesSource {
  numbers(): XdsNumbers;
}

/** How long a start waits for the first set, so that a service with a control plane at hand starts with its rules. */
const FIRST_SET_MS = 2_000;

/** Rules from a control plane, by one stream that is opened anew for ever. What was accepted last stays live meanwhile. */
export function xdsSource(options: XdsOptions): XdsSource {
  const { backoff, random, onConnected, onDisconnected } = options;
  const node = nodeOf(options.node.id, options.node.metadata, options.version);
  const headers = metadataOf(options.headers);
  const numbers = { connected: false, connects: 0, accepted: 0, refused: 0, acceptedAtMs: 0 };
  let acceptedVersion = '';
  let told = '';
  let stream: AdsStream | null = null;
  let running: Promise<void> | null = null;
  let stopped = false;
  let wake = (): void => {};

  const source: XdsSource = {
    name: 'rules over xDS',
    onDocuments: async () => null,
    onUnreadable: () => {},
    async start() {
      // Files that don't serve end a start; later they are trouble like any other.
      (await controlPlane(options)).close();
      if (stopped) return;
      await new Promise<void>((started) => {
        running = run(started);
        setTimeout(started, FIRST_SET_MS).unref();
      });
    },
    async stop() {
      stopped = true;
      wake();
      stream?.end();
      await running;
    },
    numbers: () => numbers,
  };

  /** `heard` is called when something came of the first stream, at the latest when it ended. */
  async function run(heard: () => void): Promise<void> {
    for (let failures = 0; !stopped; ) {
      const { served, because } = await oneStream(heard);
      heard();
      if (stopped) return;
      failures = served ? 1 : failures + 1;
      const pauseMs = waitMs(failures, backoff, random());
      onDisconnected(because, pauseMs);
      await new Promise<void>((done) => {
        wake = done;
        setTimeout(done, pauseMs).unref();
      });
    }
  }

  /** It served when a set was accepted, or when it lived longer than a wait. */
  async function oneStream(heard: () => void): Promise<{ readonly served: boolean; readonly because: string }> {
    const openedAtMs = performance.now();
    let served = false;
    const talk = dialogue({
      node,
      acceptedVersion,
      judge,
      send: (request) => stream?.send(request),
      onJudged(version, judgement) {
        if (judgement.ok) {
          served = true;
          acceptedVersion = version;
          numbers.accepted++;
          numbers.acceptedAtMs = Date.now();
        } else {
          numbers.refused++;
        }
        heard();
      },
    });
    try {
      const client = await controlPlane(options);
      stream = adsStream(client, {
        headers,
        onOpen() {
          numbers.connected = true;
          numbers.connects++;
          onConnected();
        },
        onResponse: (response) => void talk.received(response),
      });
      if (stopped) stream.end();
      talk.begin();
      const because = await stream.ended;
      return { served: served || performance.now() - openedAtMs > backoff.initialMs, because };
    } catch (error) {
      return { served: false, because: (error as Error).message };
    } finally {
      talk.end();
      numbers.connected = false;
      stream = null;
    }
  }

  async function judge(response: DiscoveryResponse): Promise<Judgement | null> {
    const { documents, problems } = readResponse(response);
    if (problems.length === 0) {
      told = '';
      return source.onDocuments(documents);
    }
    // The same trouble is told once, however often it is sent.
    const text = formatProblems(problems);
    if (text !== told) source.onUnreadable(problems);
    told = text;
    return { ok: false, problems };
  }

  return source;
}

/** Names that end in -bin hold bytes. */
function metadataOf(headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) {
    metadata.set(name, name.endsWith('-bin') ? Buffer.from(value) : value);
  }
  return metadata;
}
