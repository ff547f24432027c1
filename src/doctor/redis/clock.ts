import { type Finding, ok, warn } from '../finding.ts';

const MOST_OFFSET_MS = 500;

/** TIME as Redis gave it, and the clock of this host in milliseconds before and after. */
export interface TimeReply {
  readonly seconds: number;
  readonly microseconds: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** Windows are cut by the clock of the weir host, so clocks that differ cut them at different moments. */
export function clockOffset(room: string, who: string, reply: TimeReply): Finding {
  const there = reply.seconds * 1_000 + reply.microseconds / 1_000;
  const offset = Math.round(there - (reply.beforeMs + reply.afterMs) / 2);
  const ahead = `${Math.abs(offset)} ms ${offset < 0 ? 'behind' : 'ahead of'} this host`;
  if (Math.abs(offset) <= MOST_OFFSET_MS) return ok(`${room}.clock`, `the clock of ${who} is ${ahead}`);
  const says = `the clock of ${who} is ${ahead}, so one of the two is wrong, and windows end at a wrong time`;
  return warn(`${room}.clock`, says, 'keep all hosts in step with NTP');
}
