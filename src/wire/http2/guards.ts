import type { Bounds } from './bounds.ts';
import { Bucket } from './bucket.ts';
import { passed } from './frame.ts';

/** A SETTINGS frame may touch every stream. */
export const SETTINGS_COST = 20;
const REQUEST_EARNS = 8;
const ANSWER_EARNS = 4;

/** What a peer may do so often that it costs us nothing, and no oftener. */
export class Guards {
  private readonly control: Bucket;
  private readonly resets: Bucket;
  private readonly errors: Bucket;

  constructor(bounds: Bounds) {
    this.control = new Bucket(bounds.maxControlFrames);
    this.resets = new Bucket(bounds.maxResets);
    this.errors = new Bucket(bounds.maxStreamErrors);
  }

  /** Frames that cost us something and ask for nothing. */
  controlFrame(cost: number, nowMs: number): void {
    if (!this.control.take(cost, nowMs)) throw passed('max_control_frames', 'too many control frames');
  }

  /** Real work comes with some of them: window updates, pings that measure. */
  request(): void {
    this.control.give(REQUEST_EARNS);
  }

  /** DATA that we have sent: grpc-go answers with a PING and a WINDOW_UPDATE of each window. */
  answer(): void {
    this.control.give(ANSWER_EARNS);
  }

  /** CVE-2023-44487: streams opened to be reset. */
  rapidReset(nowMs: number): void {
    if (!this.resets.take(1, nowMs)) throw passed('max_resets', 'too many streams were reset');
  }

  /** CVE-2025-8671: streams that we are made to reset. */
  streamError(nowMs: number): void {
    if (!this.errors.take(1, nowMs)) throw passed('max_stream_errors', 'too many streams in error');
  }
}
