import { duration, inGroup } from '../setting.ts';

export const STOPPING = inGroup('Stopping', {
  drainDelayMs: duration('DRAIN_DELAY', '0s', 'Between saying NOT_SERVING and refusing new calls.'),
  drainTimeoutMs: duration('DRAIN_TIMEOUT', '25s', 'How long calls in flight may take to finish.'),
});
