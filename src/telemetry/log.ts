import { type DestinationStream, type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { NoRulesError, type Observer, type Problem, type StoreError } from '../core/ports.ts';
import { type LineOutput, lineOutput } from './line-output.ts';
import { type Delay, onceASecond } from './once-a-second.ts';

export type LogFormat = 'text' | 'json';
export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** LOG_LEVEL as the Go service knows it, lower case. */
const LEVELS: Readonly<Record<string, Level>> = {
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  fatal: 'fatal',
  panic: 'fatal',
};

export interface LogOptions {
  /** A LOG_LEVEL in any letter case. */
  readonly level: string;
  /** null: text when standard output is a terminal, else JSON. */
  readonly format: LogFormat | null;
  /** Takes one line at a time. Default: standard output. */
  readonly destination?: DestinationStream;
  readonly delay?: Delay;
  /** On every line, where several processes write. */
  readonly worker?: number | undefined;
  /** A problem as people read it, with line and caret; text lines then show them so. */
  readonly formatProblem?: (problem: Problem) => string;
}

/**
 * What is told to people who run weir. From `info` up no line holds a counter key, a password or a header value; that
 * is why errors are never handed over whole.
 */
export interface Log extends Observer {
  readonly logger: Logger;
  /** A defect of weir met a request. */
  bug(error: unknown): void;
  /** Trouble that may come again and again: a line a second for each kind, with a count. */
  trouble(kind: string, message: string, data: object): void;
  /** Writes what is held back. */
  flush(): void;
  /** The same, and waits until it is out. */
  close(): Promise<void>;
}

type Out = DestinationStream & Partial<Pick<LineOutput, 'flush'>>;

interface Failure {
  readonly level: 'warn' | 'error';
  readonly message: string;
  readonly data: object;
}

/** Of a large broken set, this many problems are in the line; all of them are at /rules. */
const MAX_PROBLEMS = 100;
const MAX_TEXT = 2000;
/** What waits for a reader that does not read; beyond it lines are lost, not requests. */
const MAX_BUFFERED_BYTES = 1_048_576;

/** Throws when `level` is none. */
export function log(options: LogOptions): Log {
  const level = LEVELS[options.level.toLowerCase()];
  if (level === undefined) throw new Error(`expected one of ${Object.keys(LEVELS).join(', ')}`);
  const format = options.format ?? (process.stdout.isTTY ? 'text' : 'json');
  const out: Out = options.destination ?? standardOutput(format);
  const logger = pino(
    {
      level,
      base: options.worker === undefined ? null : { worker: options.worker },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    format === 'text' ? asText(out, options.destination === undefined) : out,
  );
  const failures = onceASecond<Failure>(({ level, message, data }, count) => {
    logger[level]({ ...data, count }, message);
  }, options.delay);
  let everLoaded = false;

  function tellRefusal(problems: readonly Problem[]): void {
    const message = refusedMessage(problems, everLoaded);
    const listed = problems.slice(0, MAX_PROBLEMS);
    if (format === 'text' && options.formatProblem !== undefined) {
      logger.error([message, ...listed.map(options.formatProblem)].join('\n'));
    } else {
      logger.error({ problems: listed.map(withoutSource) }, message);
    }
  }

  return {
    logger,
    decided() {},
    storeFailed(_request, _hits, error) {
      failures.happened(`store ${error.code}`, storeFailure(error));
      if (logger.isLevelEnabled('debug')) logger.debug({ code: error.code, cause: causeOf(error) }, 'store failed');
    },
    requestRefused(_request, error) {
      if (error instanceof NoRulesError) {
        failures.happened('no rules', { level: 'warn', message: `requests refused: ${error.message}`, data: {} });
      } else {
        logger.debug('request refused: %s', error.message);
      }
    },
    rulesLoaded(report) {
      if (report.ok) {
        everLoaded = true;
        const { generation, rules, domains } = report.ruleset;
        const counts = { generation, files: report.files, domains: domains.size, rules: rules.length };
        logger.info(counts, 'rules loaded: generation %d', generation);
      } else {
        tellRefusal(report.problems);
      }
    },
    bug(error) {
      const told = error instanceof Error ? error : new Error(String(error));
      failures.happened(`bug ${told.message}`, {
        level: 'error',
        message: `bug: ${told.message}`.slice(0, MAX_TEXT),
        data: { stack: (told.stack ?? '').slice(0, MAX_TEXT) },
      });
    },
    trouble(kind, message, data) {
      failures.happened(kind, { level: 'warn', message, data });
    },
    flush: failures.flush,
    close() {
      failures.flush();
      return new Promise((done) => logger.flush(() => done()));
    },
  };
}

function storeFailure({ code, message }: StoreError): Failure {
  return { level: 'error', message: `store failed: ${message}`, data: { code } };
}

function causeOf(error: StoreError): string {
  return error.cause instanceof Error ? error.cause.message : String(error.cause ?? '');
}

/** Holds `<file>: <message>` of the first problem just as the Go service's log does. */
function refusedMessage(problems: readonly Problem[], everLoaded: boolean): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const then = everLoaded ? 'the last good set stays' : 'there is no good set yet';
  const [first] = problems;
  return `rules refused, ${count}, ${then}${first === undefined ? '' : `: ${first.file}: ${first.message}`}`;
}

/** The line of the file is left out: the log goes further than the rules do. */
function withoutSource({ file, line, column, message, hint }: Problem): object {
  return { file, line, column, message, hint };
}

/** A terminal is written to at once, so that nothing is lost at an exit; a pipe may stall, so it gets a buffer. */
function standardOutput(format: LogFormat): LineOutput {
  return lineOutput({ fd: 1, sync: format === 'text', maxBufferedBytes: MAX_BUFFERED_BYTES });
}

function asText(out: Out, colorize: boolean): Out {
  const toText = prettyFactory({
    colorize: colorize && process.stdout.isTTY === true,
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
  return {
    write: (line) => out.write(toText(line)),
    flush(done) {
      if (out.flush === undefined) done();
      else out.flush(done);
    },
  };
}
