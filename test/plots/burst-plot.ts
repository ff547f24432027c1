import { ALGORITHMS, admitted, arrivals, LIMIT, mostWithin, TRACE_SECONDS, WINDOW_SECONDS } from './burst.ts';

export const BURST_SVG = new URL('../../docs/burst.svg', import.meta.url);

const WIDTH = 760;
const PANEL = 128;
const LEFT = 44;
const TOP = 34;
const MOST = 220;
/** Pixels of one hit on the axis, and of one second. */
const HIT = 84 / MOST;
const SECOND = (WIDTH - LEFT - 24) / TRACE_SECONDS;

/** Four panels: how many hits each algorithm admitted in the minute that ends at each moment, of one and the same trace. */
export async function burstPlot(): Promise<string> {
  const panels: string[] = [];
  for (const [i, algorithm] of ALGORITHMS.entries()) panels.push(panel(i, algorithm, await admitted(algorithm)));
  const height = TOP + ALGORITHMS.length * PANEL + 28;
  const last = ALGORITHMS.length * PANEL + TOP;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="11" role="img" aria-labelledby="title">
  <title id="title">Admitted hits of the last minute by algorithm, ${LIMIT} a minute, ${arrivals().length} hits asked</title>
  <rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
  <text x="${LEFT}" y="18" font-size="13" font-weight="600" fill="#1f2933">Admitted in the last minute, of ${LIMIT} a minute; 200 hits meet the edge at 60 s, then 4 a second</text>
${panels.join('\n')}
${seconds(last)}
</svg>
`;
}

function panel(index: number, algorithm: string, times: readonly number[]): string {
  const bottom = TOP + (index + 1) * PANEL - 14;
  const y = (hits: number): string => (bottom - hits * HIT).toFixed(1);
  const line = curve(times).map(([second, hits]) => `${x(second)},${y(hits)}`);
  const most = mostWithin(times, WINDOW_SECONDS * 1_000);
  return `  <g>
    <text x="${LEFT}" y="${bottom - 92}" font-weight="600" fill="#1f2933">${algorithm}</text>
    <text x="${WIDTH - 24}" y="${bottom - 92}" text-anchor="end" fill="#52606d">at most ${most} in any minute, ${mostWithin(times, 10_000)} in any 10 s</text>
    <line x1="${LEFT}" y1="${bottom}" x2="${WIDTH - 24}" y2="${bottom}" stroke="#9aa5b1"/>
    <line x1="${LEFT}" y1="${y(LIMIT)}" x2="${WIDTH - 24}" y2="${y(LIMIT)}" stroke="#ba2525" stroke-dasharray="4 3"/>
    <text x="${LEFT - 6}" y="${(bottom - LIMIT * HIT + 4).toFixed(1)}" text-anchor="end" fill="#ba2525">${LIMIT}</text>
    <text x="${LEFT - 6}" y="${bottom + 4}" text-anchor="end" fill="#52606d">0</text>
    <polyline points="${line.join(' ')}" fill="none" stroke="#0b69a3" stroke-width="1.6"/>
  </g>`;
}

function curve(times: readonly number[]): readonly (readonly [second: number, hits: number])[] {
  return Array.from({ length: TRACE_SECONDS * 2 + 1 }, (_, i) => {
    const ms = i * 500;
    return [ms / 1_000, times.filter((at) => at <= ms && at > ms - WINDOW_SECONDS * 1_000).length] as const;
  });
}

function seconds(bottom: number): string {
  const ticks = Array.from({ length: TRACE_SECONDS / 30 + 1 }, (_, i) => i * 30);
  return ticks
    .map((at) => `  <text x="${x(at)}" y="${bottom + 6}" text-anchor="middle" fill="#52606d">${at} s</text>`)
    .join('\n');
}

function x(second: number): string {
  return (LEFT + second * SECOND).toFixed(1);
}
