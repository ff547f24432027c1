import type { Judgement } from '../rules/loader.ts';
import { formatProblems } from '../rules/problem.ts';
import { type DiscoveryRequest, type DiscoveryResponse, type NodeMessage, TYPE_URL } from './discovery.ts';

export interface DialogueOptions {
  readonly node: NodeMessage;
  /** Of the set that was accepted last, on whatever stream. */
  readonly acceptedVersion: string;
  /** null when a newer response took its place. */
  readonly judge: (response: DiscoveryResponse) => Promise<Judgement | null>;
  readonly send: (request: DiscoveryRequest) => void;
  /** Its answer will go out now, or after a moment. */
  readonly onJudged: (version: string, judgement: Judgement) => void;
  readonly nowMs?: () => number;
  /** Runs `task` later; the answer is how to forget it. */
  readonly later?: (ms: number, task: () => void) => () => void;
}

/** One stream's conversation, state of the world. */
export interface Dialogue {
  /** Asks for all there is. */
  begin(): void;
  received(response: DiscoveryResponse): Promise<void>;
  /** Nothing is sent any more. */
  end(): void;
}

/** Between a refusal and the one before it, and the first wait before a version is answered again. */
export const FIRST_WAIT_MS = 100;
/** A control plane tells of mended rules when it was answered, so this is also how late they may come. */
export const LAST_WAIT_MS = 5_000;
const MAX_DETAIL = 4_000;
const INVALID_ARGUMENT = 3;

/**
 * Answers every response once: with its version when the set was accepted, else with the version before it and what is
 * wrong. A control plane that sends the same version again as soon as it was answered is answered later each time. A
 * response that is followed by another before its answer went out is not answered: only the newest nonce counts.
 */
export function dialogue(options: DialogueOptions): Dialogue {
  const { node, judge, send, onJudged, nowMs = () => performance.now(), later = timer } = options;
  let accepted = options.acceptedVersion;
  let newest: DiscoveryResponse | null = null;
  let repeats = 0;
  let answeredAtMs = Number.NEGATIVE_INFINITY;
  let forget = (): void => {};
  let ended = false;

  async function received(response: DiscoveryResponse): Promise<void> {
    if (ended) return;
    forget();
    repeats = newest !== null && versionOf(newest) === versionOf(response) ? repeats + 1 : 0;
    newest = response;
    const judgement = await judge(response);
    if (ended || newest !== response || judgement === null) return;
    if (judgement.ok) accepted = versionOf(response);
    onJudged(versionOf(response), judgement);
    // Whoever has no versions may well mean something new by the same one.
    const isNew = repeats === 0 || (judgement.ok && versionOf(response) === '');
    const pause = !isNew ? pauseMs(repeats) : judgement.ok ? 0 : FIRST_WAIT_MS;
    const wait = answeredAtMs + pause - nowMs();
    if (wait > 0) forget = later(wait, () => answer(response, judgement));
    else answer(response, judgement);
  }

  function answer({ nonce = '' }: DiscoveryResponse, judgement: Judgement): void {
    answeredAtMs = nowMs();
    const request = { version_info: accepted, node, type_url: TYPE_URL, response_nonce: nonce };
    if (judgement.ok) {
      send(request);
    } else {
      const message = formatProblems(judgement.problems).slice(0, MAX_DETAIL);
      send({ ...request, error_detail: { code: INVALID_ARGUMENT, message } });
    }
  }

  return {
    begin: () => send({ version_info: accepted, node, type_url: TYPE_URL, response_nonce: '' }),
    received,
    end() {
      ended = true;
      forget();
    },
  };
}

/** Before a version is answered for the second time, the third, and so on. */
function pauseMs(repeats: number): number {
  return Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(repeats - 1, 30));
}

function versionOf({ version_info: version = '' }: DiscoveryResponse): string {
  return version;
}

function timer(ms: number, task: () => void): () => void {
  const waiting = setTimeout(task, ms).unref();
  return () => clearTimeout(waiting);
}
