import { integerBetween } from '../go-values.ts';
import { inGroup, setting } from '../setting.ts';

export const PROCESSES = inGroup('Processes', {
  workers: setting(
    'WORKERS',
    'number',
    1,
    integerBetween(1, 64),
    'Processes that decide, on the same ports: as many as there are cores for weir. More than one needs Redis.',
  ),
});
