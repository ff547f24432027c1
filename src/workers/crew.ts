import cluster, { type Worker } from 'node:cluster';
import { within } from '../within.ts';
import { endOf } from './end.ts';
import { type Report, type ReportPart, type ToPrimary, type ToWorker, WORKER_MARK } from './messages.ts';
import { type MakeProfile, type ProfileLine, profileLine } from './profile-line.ts';
import { type RulesFeed, type RulesNews, rulesFeed } from './rules-feed.ts';

export interface CrewOptions {
  readonly count: number;
  readonly news: RulesNews;
  /** How long workers may take to drain before they are killed. */
  readonly stopTimeoutMs: number;
  /** A worker asks for the page of all; null when there is none. */
  readonly page: () => Promise<string | null>;
  /** What a worker that has ended had told last. */
  readonly onLast: (report: Partial<Report>) => void;
  /** A worker has ended unasked, and is started again after the wait. */
  readonly onEnded: (worker: { readonly id: number; readonly pid: number }, how: string, waitMs: number) => void;
  /** A worker has answered nothing for so long that it is killed. */
  readonly onHung: (worker: { readonly id: number; readonly pid: number }) => void;
  /** How often each is asked what it has counted, and whether it is there. */
  readonly lookMs?: number;
  /** What they run. Default: what this process runs. */
  readonly program?: { readonly exec: string; readonly args: string[]; readonly execArgv: string[] };
}

/** The workers, kept at their number. */
export interface Crew {
  /** Resolves when as many have begun to serve. Rejects with NotStarted when that is not to be expected. */
  start(): Promise<void>;
  /** Lets all of them drain. The same promise each time. */
  stop(): Promise<void>;
  /** Resolves when nobody serves any more, and those that are started in their place end at once. */
  readonly broken: Promise<NotStarted>;
  /** There is news of the rules. */
  tellRules(): void;
  /** This part of what each has to tell; for one that does not answer in time, what it told before. */
  reports<Part extends keyof Report & ReportPart>(of: Part): Promise<readonly Report[Part][]>;
  /** As they were told last, without asking. */
  lastReports<Part extends keyof Report>(of: Part): readonly Report[Part][];
  /** One that serves: the oldest when not said which. null when there is none. */
  find(id: number | null): { readonly pid: number; readonly profile: MakeProfile } | null;
  /** The ports that all of them share. */
  addresses(): Readonly<Record<string, string>>;
  numbers(): { readonly serving: number; readonly restarts: number };
}

/** Why workers can't be started, in sentences. */
export class NotStarted extends Error {
  override readonly name = 'NotStarted';
  readonly exitCode: number;
  readonly lines: readonly string[];
  constructor(exitCode: number, lines: readonly string[]) {
    super(lines.join('\n'));
    this.exitCode = exitCode;
    this.lines = lines;
  }
}

interface Member {
  readonly worker: Worker;
  readonly sinceMs: number;
  /** How it ended. */
  readonly ended: Promise<string>;
  /** Once it wants rules. */
  feed: RulesFeed | null;
  readonly profiles: ProfileLine;
  /** It was heard of. */
  isHere: boolean;
  serves: boolean;
  failed: NotStarted | null;
  last: Partial<Report>;
  /** How often it was looked after since it was last heard of. */
  silences: number;
  /** Reports that it was asked for, each once, so that nothing piles up before one that hangs. */
  readonly asked: Map<ReportPart, { readonly answer: Promise<void>; readonly answered: () => void }>;
}

const REPORT_MS = 1_000;
/** What it counted since is lost when a worker is killed. */
const LOOK_MS = 5_000;
/** They are counted, since all processes may have stood still together. */
const MAX_SILENCES = 6;
/** Of one that was never heard of: on a busy machine a program takes long to begin. */
const MAX_FIRST_SILENCES = 24;
/** Workers that ended before they served, one after the other: then the next one would too. */
const MAX_FAILED_STARTS = 5;
/** The wait before a worker is started again doubles from the first to the longest, while each lives shorter than this. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 10_000;
const STEADY_MS = 10_000;

export function crew(options: CrewOptions): Crew {
  const members = new Set<Member>();
  const waits = new Set<NodeJS.Timeout>();
  let addresses: Readonly<Record<string, string>> = {};
  let restarts = 0;
  let failedStarts = 0;
  /** How often one began to serve. */
  let starts = 0;
  let stopping: Promise<void> | null = null;
  let looking: NodeJS.Timeout | undefined;
  let tellWhole: () => void;
  let tellBroken: (why: NotStarted) => void;
  const whole = new Promise<void>((resolve) => {
    tellWhole = resolve;
  });
  const broken = new Promise<NotStarted>((resolve) => {
    tellBroken = resolve;
  });

  /** `quickDeaths`: how many in this place lived no longer than a moment, one after the other. */
  function begin(quickDeaths: number): void {
    const worker = cluster.fork({ [WORKER_MARK]: 'true' });
    const member: Member = {
      worker,
      sinceMs: performance.now(),
      ended: endOf(worker),
      feed: null,
      profiles: profileLine((message) => send(member, message)),
      isHere: false,
      serves: false,
      failed: null,
      last: {},
      silences: 0,
      asked: new Map(),
    };
    members.add(member);
    worker.on('message', (message: ToPrimary) => heard(member, message));
    void member.ended.then((how) => leave(member, how, quickDeaths));
  }

  function heard(member: Member, message: ToPrimary): void {
    member.isHere = true;
    member.silences = 0;
    switch (message.kind) {
      case 'here':
        // What was sent before it could hear is lost.
        if (stopping !== null) send(member, { kind: 'drain' });
        break;
      case 'wants rules':
        member.feed = rulesFeed(options.news, (news) => send(member, news));
        member.feed.look();
        break;
      case 'placed':
        member.feed?.placed();
        break;
      case 'serves':
        addresses = message.addresses;
        member.serves = true;
        failedStarts = 0;
        starts++;
        if (starts === options.count) tellWhole();
        break;
      case 'failed':
        member.failed = new NotStarted(message.exitCode, message.lines);
        break;
      case 'report':
        member.last = { ...member.last, ...message.report };
        member.asked.get(message.of)?.answered();
        member.asked.delete(message.of);
        break;
      case 'profile':
        member.profiles.heard(message);
        break;
      case 'metrics':
        void options.page().then((page) => page !== null && send(member, { kind: 'metrics', page }));
    }
  }

  function leave(member: Member, how: string, quickDeaths: number): void {
    members.delete(member);
    if (!member.serves) failedStarts++;
    options.onLast(member.last);
    member.profiles.end();
    for (const { answered } of member.asked.values()) answered();
    if (stopping !== null) return;
    const why = member.failed ?? new NotStarted(1, [`a worker ended before it served: ${how}`]);
    // At the start a sentence is an answer: the next worker would say the same.
    if (starts < options.count && member.failed !== null) tellBroken(why);
    if (failedStarts >= MAX_FAILED_STARTS && serving().length === 0) tellBroken(why);
    const deaths = performance.now() - member.sinceMs < STEADY_MS ? quickDeaths + 1 : 0;
    const waitMs = deaths === 0 ? 0 : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (deaths - 1));
    const { id, process: of } = member.worker;
    options.onEnded({ id, pid: of.pid ?? 0 }, member.failed?.message ?? how, waitMs);
    const wait = setTimeout(() => {
      waits.delete(wait);
      restarts++;
      begin(deaths);
    }, waitMs);
    waits.add(wait);
  }

  /** A worker whose event loop is stuck holds connections that nobody else can serve, or a place that another could take. */
  function lookAfter(): void {
    for (const member of members) {
      const { worker, profiles } = member;
      // A heap snapshot stops its loop; whoever asks for a profile bounds how long it is awaited.
      if (profiles.runs()) member.silences = 0;
      if (member.silences++ >= (member.isHere ? MAX_SILENCES : MAX_FIRST_SILENCES)) {
        options.onHung({ id: worker.id, pid: worker.process.pid ?? 0 });
        worker.process.kill('SIGKILL');
      } else if (member.isHere) {
        void ask(member, 'all');
      }
    }
  }

  async function stop(): Promise<void> {
    clearInterval(looking);
    for (const wait of waits) clearTimeout(wait);
    const all = [...members];
    for (const member of all) send(member, { kind: 'drain' });
    const force = setTimeout(() => {
      for (const { worker } of all) worker.process.kill('SIGKILL');
    }, options.stopTimeoutMs);
    await Promise.all(all.map(({ ended }) => ended));
    clearTimeout(force);
  }

  function ask(member: Member, of: ReportPart): Promise<void> {
    const known = member.asked.get(of);
    if (known !== undefined) return known.answer;
    let answered = (): void => {};
    const answer = new Promise<void>((resolve) => {
      answered = resolve;
    });
    member.asked.set(of, { answer, answered });
    send(member, { kind: 'report', of });
    return answer;
  }

  const serving = (): readonly Member[] => [...members].filter(({ serves }) => serves);
  const lastReports = <Part extends keyof Report>(of: Part): readonly Report[Part][] =>
    [...members].flatMap(({ last }) => {
      const part: Report[Part] | undefined = last[of];
      return part === undefined ? [] : [part];
    });

  return {
    async start() {
      const program = options.program ?? { args: process.argv.slice(2) };
      // It is read once, by setupPrimary, and the environment may say otherwise.
      cluster.schedulingPolicy = cluster.SCHED_RR;
      cluster.setupPrimary({ ...program, serialization: 'advanced' });
      looking = setInterval(lookAfter, options.lookMs ?? LOOK_MS).unref();
      for (let i = 0; i < options.count; i++) begin(0);
      const failed = await Promise.race([whole, broken]);
      if (failed !== undefined) throw failed;
    },
    stop() {
      stopping ??= stop();
      return stopping;
    },
    broken,
    tellRules() {
      for (const { feed } of members) feed?.look();
    },
    async reports(of) {
      await Promise.all(serving().map((member) => within(REPORT_MS, ask(member, of)).catch(() => {})));
      return lastReports(of);
    },
    lastReports,
    find(id) {
      const member = serving().find(({ worker }) => id === null || worker.id === id);
      return member === undefined ? null : { pid: member.worker.process.pid ?? 0, profile: member.profiles.make };
    },
    addresses: () => addresses,
    numbers: () => ({ serving: serving().length, restarts }),
  };
}

/** What is sent to one that is just ending is lost, and its end is told all the same. */
function send({ worker }: Member, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message);
}
