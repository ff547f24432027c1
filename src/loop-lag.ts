import type { Part } from './core/ports.ts';

const TICK_MS = 20;

/** How late the event loop is: by a timer that should ring every 20 ms. */
export interface LoopLag extends Part {
  /** 0 when it is not; what the last tick was late by, or this one already is. */
  lagMs(): number;
}

export function loopLag(nowMs: () => number = () => performance.now()): LoopLag {
  let timer: NodeJS.Timeout | null = null;
  let dueMs = 0;
  let lastMs = 0;

  function tick(): void {
    const now = nowMs();
    lastMs = Math.max(0, now - dueMs);
    dueMs = now + TICK_MS;
  }

  return {
    name: 'loop-lag',
    async start() {
      if (timer !== null) return;
      dueMs = nowMs() + TICK_MS;
      timer = setInterval(tick, TICK_MS).unref();
    },
    async stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      lastMs = 0;
    },
    lagMs: () => (timer === null ? 0 : Math.max(lastMs, nowMs() - dueMs)),
  };
}
