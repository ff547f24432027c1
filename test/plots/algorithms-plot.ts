import type { Algorithm } from '../../src/core/limit.ts';
import { replay } from './replay.ts';
import { COLOR, line, px, svg, text } from './svg.ts';

export const ALGORITHMS_SVG = new URL('../../docs/algorithms.svg', import.meta.url);

export const LIMIT = 5;
const WINDOW_MS = 10_000;
const TRACE_MS = 30_000;

/** What is said of each, beside its name. */
export const PANELS: readonly (readonly [algorithm: Algorithm, said: string])[] = [
  ['fixed_window', 'starts anew at each edge: twice the limit passes around it'],
  ['sliding_window', 'weighs in what the last window held, less with every second'],
  ['token_bucket', 'holds 5, and gets one back every 2 seconds'],
  ['leaky_bucket', 'holds 1, and gets one back every 2 seconds'],
];

const RULES = `
domain: trace
descriptors:
${PANELS.map(([algorithm]) => `  - { key: ${algorithm}, rate_limit: { unit: second, unit_multiplier: ${WINDOW_MS / 1_000}, requests_per_unit: ${LIMIT}, algorithm: ${algorithm} } }`).join('\n')}
`;

/** Six just before the edge of a window, six just after it, then one a second, twice what the limit admits. */
export const ARRIVALS_MS: readonly number[] = [
  ...[8.0, 8.3, 8.6, 8.9, 9.2, 9.5].map((second) => second * 1_000),
  ...[10.4, 10.7, 11.0, 11.3, 11.6, 11.9].map((second) => second * 1_000),
  ...Array.from({ length: 15 }, (_, i) => (14.5 + i) * 1_000),
];

export interface Panel {
  readonly admittedMs: readonly number[];
  readonly refusedMs: readonly number[];
  /** What a look tells, before and after everything that arrives. */
  readonly left: readonly (readonly [ms: number, remaining: number])[];
}

export async function panelOf(algorithm: Algorithm): Promise<Panel> {
  const ask = replay(RULES);
  const panel = { admittedMs: [] as number[], refusedMs: [] as number[], left: [] as [number, number][] };
  const look = async (ms: number): Promise<void> => {
    panel.left.push([ms, (await ask(algorithm, ms, 0)).verdicts[0]!.remaining]);
  };
  for (let ms = 0; ms < TRACE_MS; ms += 100) {
    await look(ms);
    if (!ARRIVALS_MS.includes(ms)) continue;
    const { outcome } = await ask(algorithm, ms);
    (outcome === 'ok' ? panel.admittedMs : panel.refusedMs).push(ms);
    await look(ms);
  }
  return panel;
}

const WIDTH = 760;
const LEFT = 40;
const RIGHT = 24;
const TOP = 60;
const PANEL = 116;
const AREA = 50;

export async function algorithmsPlot(): Promise<string> {
  const body = [
    text(LEFT, 24, `The same ${ARRIVALS_MS.length} requests against ${LIMIT} in 10 seconds`, { size: 14, bold: true }),
    ...legend(42),
  ];
  for (const [i, [algorithm, said]] of PANELS.entries()) {
    body.push(...drawn(TOP + i * PANEL, algorithm, said, await panelOf(algorithm)));
  }
  const bottom = TOP + PANELS.length * PANEL + 10;
  for (let second = 0; second <= TRACE_MS / 1_000; second += 5) {
    body.push(text(x(second * 1_000), bottom, `${second} s`, { fill: COLOR.soft, anchor: 'middle' }));
  }
  return svg(WIDTH, bottom + 16, 'The same requests through four algorithms: which pass, and what is left', body);
}

function legend(y: number): readonly string[] {
  return [
    passed(LEFT + 5, y - 4),
    text(LEFT + 16, y, 'passes', { fill: COLOR.soft }),
    refused(LEFT + 75, y - 4),
    text(LEFT + 86, y, 'is refused', { fill: COLOR.soft }),
    `<rect x="${LEFT + 156}" y="${y - 9}" width="12" height="10" fill="${COLOR.paleBlue}"/>`,
    text(LEFT + 174, y, 'what is left, 0 to 5', { fill: COLOR.soft }),
    line(LEFT + 298, y - 10, LEFT + 298, y + 2, COLOR.line, ' stroke-dasharray="3 3"'),
    text(LEFT + 306, y, 'a window begins', { fill: COLOR.soft }),
  ];
}

function drawn(top: number, algorithm: Algorithm, said: string, { admittedMs, refusedMs, left }: Panel): string[] {
  const base = top + 30 + AREA;
  const dots = base + 12;
  const level = (remaining: number): string => px(base - (remaining / LIMIT) * AREA);
  // Steps: what is left holds until the next look says otherwise.
  const steps = left.flatMap(([ms, remaining], i) => {
    const before = left[i - 1]?.[1] ?? remaining;
    return [`${px(x(ms))},${level(before)}`, `${px(x(ms))},${level(remaining)}`];
  });
  const windows = algorithm.endsWith('window') ? [0, 1, 2, 3].map((i) => i * WINDOW_MS) : [];
  const name = text(LEFT, top + 18, algorithm, { size: 12, bold: true });
  return [
    name,
    text(LEFT + 116, top + 18, said, { fill: COLOR.soft }),
    text(WIDTH - RIGHT, top + 18, `${admittedMs.length} of ${ARRIVALS_MS.length} pass`, { anchor: 'end', bold: true }),
    `<polygon points="${px(x(0))},${base} ${steps.join(' ')} ${px(x(TRACE_MS))},${base}" fill="${COLOR.paleBlue}"/>`,
    `<polyline points="${steps.join(' ')}" fill="none" stroke="${COLOR.blue}" stroke-width="1.2"/>`,
    line(LEFT, base, WIDTH - RIGHT, base, COLOR.line),
    ...windows.map((ms) => line(x(ms), top + 26, x(ms), base + 20, COLOR.line, ' stroke-dasharray="3 3"')),
    text(LEFT - 8, base - AREA + 4, String(LIMIT), { fill: COLOR.soft, anchor: 'end' }),
    text(LEFT - 8, base + 4, '0', { fill: COLOR.soft, anchor: 'end' }),
    ...admittedMs.map((ms) => passed(x(ms), dots)),
    ...refusedMs.map((ms) => refused(x(ms), dots)),
  ];
}

const passed = (cx: number, cy: number): string =>
  `<circle cx="${px(cx)}" cy="${px(cy)}" r="3.2" fill="${COLOR.blue}"/>`;

function refused(cx: number, cy: number): string {
  const r = 2.8;
  return `<path d="M${px(cx - r)} ${px(cy - r)}L${px(cx + r)} ${px(cy + r)}M${px(cx - r)} ${px(cy + r)}L${px(cx + r)} ${px(cy - r)}" stroke="${COLOR.red}" stroke-width="1.5"/>`;
}

function x(ms: number): number {
  return LEFT + (ms / TRACE_MS) * (WIDTH - LEFT - RIGHT);
}
