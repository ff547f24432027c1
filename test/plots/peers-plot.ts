import { readFileSync } from 'node:fs';
import { COLOR, line, px, svg, text } from './svg.ts';

export const PEERS_SVG = new URL('../../docs/peers.svg', import.meta.url);
export const PEERS_JSON = new URL('peers.json', import.meta.url);

export interface Bar {
  readonly service: string;
  /** Median, or the middle of what was found. */
  readonly perSecond: number;
  readonly cpuUs: number;
  /** Commit and place of the figure. */
  readonly from: string;
  readonly ours: boolean;
}

export interface Group {
  readonly title: string;
  readonly bars: readonly Bar[];
}

/** In peers.json: a figure of another, the row of test/bench/RESULTS.md that is ours, or one of `make bench-peers`. */
type Written =
  | Omit<Bar, 'ours'>
  | { readonly service: string; readonly measured: string }
  | { readonly service: string; readonly besides: 'go' | 'weir' };

const RESULTS = new URL('../bench/RESULTS.md', import.meta.url);
const BENCH_PEERS = new URL('../bench/peers.json', import.meta.url);
const SCENARIO = 'hot-1-allowed';

export function peers(): readonly Group[] {
  const results = readFileSync(RESULTS, 'utf8');
  const { groups } = JSON.parse(readFileSync(PEERS_JSON, 'utf8')) as {
    readonly groups: readonly { readonly title: string; readonly bars: readonly Written[] }[];
  };
  return groups.map(({ title, bars }) => ({
    title,
    bars: bars.map((bar) => barOf(bar, results)).sort((a, b) => b.perSecond - a.perSecond),
  }));
}

function barOf(bar: Written, results: string): Bar {
  if ('measured' in bar) return ours(bar.service, bar.measured, results);
  return 'besides' in bar ? sideBySide(bar.service, bar.besides) : { ...bar, ours: false };
}

function sideBySide(service: string, which: 'go' | 'weir'): Bar {
  type Figures = { readonly decisionsPerSecond: number; readonly cpuUs: number };
  const { scenarios } = JSON.parse(readFileSync(BENCH_PEERS, 'utf8')) as {
    readonly scenarios: readonly { readonly name: string; readonly go: Figures; readonly weir: Figures }[];
  };
  const scenario = scenarios.find(({ name }) => name === SCENARIO);
  if (scenario === undefined) throw new Error(`test/bench/peers.json has no ${SCENARIO}`);
  const { decisionsPerSecond: perSecond, cpuUs } = scenario[which];
  return { service, perSecond, cpuUs, from: 'test/bench/PEERS.md', ours: which === 'weir' };
}

function ours(service: string, name: string, results: string): Bar {
  const row = results.split('\n').find((each) => each.startsWith(`| ${name} |`));
  if (row === undefined) throw new Error(`test/bench/RESULTS.md has no row ${name}`);
  const cells = row.split('|').map((cell) => cell.trim());
  return {
    service,
    perSecond: Number(cells.at(-2)),
    cpuUs: Number(cells[2]),
    from: 'test/bench/RESULTS.md',
    ours: true,
  };
}

const WIDTH = 760;
const LEFT = 250;
const RIGHT = 130;
const ROW = 26;

/** A bar for each service, all to one scale. */
export function peersPlot(groups: readonly Group[]): string {
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ perSecond }) => perSecond)));
  const width = (perSecond: number): number => (perSecond / most) * (WIDTH - LEFT - RIGHT);
  const body = [
    text(24, 26, 'Decisions a second on one core', { size: 14, bold: true }),
    text(24, 44, 'One descriptor, one hot key. In brackets: CPU of the service for one decision.', {
      fill: COLOR.soft,
    }),
  ];
  let y = 58;
  for (const { title, bars } of groups) {
    y += 24;
    body.push(text(24, y, title, { size: 12, bold: true }));
    y += 8;
    const top = y;
    for (const { service, perSecond, cpuUs, ours: isOurs } of bars) {
      body.push(
        text(LEFT - 10, y + 17, service, { anchor: 'end', bold: isOurs }),
        `<rect x="${LEFT}" y="${y + 5}" width="${px(width(perSecond))}" height="${ROW - 9}" rx="2" fill="${isOurs ? COLOR.blue : COLOR.line}"/>`,
        text(LEFT + width(perSecond) + 8, y + 17, `${rounded(perSecond)}  (${cpuUs} us)`),
      );
      y += ROW;
    }
    body.push(line(LEFT, top, LEFT, y, COLOR.soft));
  }
  return svg(WIDTH, y + 20, 'Decisions a second on one core, weir beside its peers', body);
}

/** To three digits, as the figures drift by more than the rest. */
function rounded(perSecond: number): string {
  return Number(perSecond.toPrecision(3)).toLocaleString('en-US');
}
