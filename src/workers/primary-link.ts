import cluster from 'node:cluster';
import { within } from '../within.ts';
import { type Report, type ReportPart, type ToPrimary, type ToWorker, WORKER_MARK } from './messages.ts';

type Listener<K extends ToWorker['kind']> = (message: Extract<ToWorker, { readonly kind: K }>) => void;

/** A worker's line to the primary. */
export interface PrimaryLink {
  /** Counts up over all workers that were ever started. */
  readonly id: number;
  /** The primary wants it to end. */
  readonly drain: Promise<'drain'>;
  /** There is no primary any more. */
  readonly gone: Promise<'gone'>;
  send(message: ToPrimary): void;
  on<K extends ToWorker['kind']>(kind: K, listener: Listener<K>): void;
  /** From now on the primary is answered with this. */
  reports(make: MakeReport): void;
  /** The page of all workers together. Rejects when the primary does not answer in time. */
  metrics(): Promise<string>;
  /** Says a last word and hangs up. */
  end(last?: ToPrimary): Promise<void>;
}

/** Never rejects: a worker that can't tell goes on. */
export type MakeReport = (of: ReportPart) => Promise<Partial<Report>>;

/** A primary that takes longer is given up. */
const METRICS_MS = 5_000;
const LAST_WORD_MS = 1_000;

/** null in a process that no primary of ours has started. */
export function primaryLink(): PrimaryLink | null {
  const { worker } = cluster;
  if (worker === undefined || process.env[WORKER_MARK] === undefined) return null;
  delete process.env[WORKER_MARK];
  return linkOf(worker);
}

function linkOf(worker: NonNullable<typeof cluster.worker>): PrimaryLink {
  const listeners = new Map<string, (message: never) => void>();
  const waiting: ((page: string) => void)[] = [];
  let makeReport: MakeReport = async () => ({});
  let tellDrain: (what: 'drain') => void;
  const drain = new Promise<'drain'>((resolve) => {
    tellDrain = resolve;
  });
  let tellGone: (what: 'gone') => void;
  const gone = new Promise<'gone'>((resolve) => {
    tellGone = resolve;
  });

  function send(message: ToPrimary, sent: () => void = () => {}): void {
    if (!process.connected) sent();
    // A primary that dies meanwhile is told by `disconnect`.
    else process.send?.(message, undefined, undefined, sent);
  }

  async function ownReport(of: ReportPart): Promise<ToPrimary> {
    return { kind: 'report', of, report: await makeReport(of) };
  }

  process.on('message', (message: ToWorker) => {
    if (message.kind === 'drain') tellDrain('drain');
    else if (message.kind === 'report') void ownReport(message.of).then((report) => send(report));
    else if (message.kind === 'metrics') for (const take of waiting.splice(0)) take(message.page);
    else listeners.get(message.kind)?.(message as never);
  });
  // What node:cluster can't send to a primary that has just died; that it died is told by `disconnect`.
  worker.on('error', () => {});
  worker.on('disconnect', () => {
    // Else node:cluster ends the process here, and calls in flight with it.
    worker.exitedAfterDisconnect = true;
    tellGone('gone');
  });

  send({ kind: 'here' });
  return {
    id: worker.id,
    drain,
    gone,
    send: (message) => send(message),
    on: (kind, listener) => void listeners.set(kind, listener),
    reports(make) {
      makeReport = make;
    },
    metrics() {
      const page = new Promise<string>((resolve) => void waiting.push(resolve));
      send({ kind: 'metrics' });
      return within(METRICS_MS, page);
    },
    async end(last) {
      const word = last ?? (await ownReport('all'));
      const sent = new Promise<void>((done) => send(word, done));
      await within(LAST_WORD_MS, sent).catch(() => {});
      if (process.connected) process.disconnect();
    },
  };
}
