import { COLOR, px, svg, text } from './svg.ts';

export const ARCHITECTURE_SVG = new URL('../../docs/architecture.svg', import.meta.url);

const WIDTH = 860;
const HEIGHT = 470;

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly lines: readonly string[];
  readonly fill: string;
  readonly stroke: string;
  /** Drawn as so many behind each other. */
  readonly stack?: number;
}

const CALLER = { fill: COLOR.paleGreen, stroke: COLOR.green } as const;
const OWN = { fill: COLOR.paleBlue, stroke: COLOR.blue } as const;
const GIVEN = { fill: COLOR.paleYellow, stroke: COLOR.yellow } as const;
const TOLD = { fill: COLOR.pale, stroke: COLOR.soft } as const;
const COUNTS = { fill: COLOR.paleRed, stroke: COLOR.red } as const;

const BOXES: readonly Box[] = [
  {
    ...{ x: 24, y: 140, width: 170, height: 74, stack: 3, ...CALLER },
    title: 'Envoy',
    lines: ['or Istio, Contour,', 'Envoy Gateway, kgateway'],
  },
  {
    ...{ x: 24, y: 256, width: 170, height: 74, ...CALLER },
    title: 'Your services',
    lines: ['clients for TypeScript,', 'Python, Go, Java'],
  },
  {
    ...{ x: 322, y: 140, width: 226, height: 190, stack: 3, ...OWN },
    title: 'weir',
    lines: [
      'decode',
      'match: which rule',
      'plan: which counters',
      'count, the only wait',
      'judge: ok or over limit',
      'encode',
    ],
  },
  {
    ...{ x: 676, y: 176, width: 160, height: 118, ...COUNTS },
    title: 'Redis',
    lines: ['one, Sentinel or Cluster', 'a counter for each value', 'that a rule limits,', 'gone with its window'],
  },
  {
    ...{ x: 268, y: 24, width: 150, height: 58, ...GIVEN },
    title: 'Rules files',
    lines: ['YAML, a ConfigMap'],
  },
  {
    ...{ x: 452, y: 24, width: 150, height: 58, ...GIVEN },
    title: 'Control plane',
    lines: ['xDS, in place of files'],
  },
  {
    ...{ x: 170, y: 394, width: 150, height: 54, ...TOLD },
    title: 'Probes',
    lines: ['/livez, /readyz'],
  },
  {
    ...{ x: 348, y: 394, width: 174, height: 54, ...TOLD },
    title: 'Prometheus, statsd',
    lines: ['allowed, denied, why'],
  },
  {
    ...{ x: 550, y: 394, width: 150, height: 54, ...TOLD },
    title: 'OpenTelemetry',
    lines: ['a span for a decision'],
  },
];

interface Arrow {
  readonly from: readonly [x: number, y: number];
  readonly to: readonly [x: number, y: number];
  readonly label?: readonly string[];
  /** Where the first line of the label begins, or its middle. */
  readonly at?: readonly [x: number, y: number];
  readonly anchor?: 'start' | 'middle';
}

const ARROWS: readonly Arrow[] = [
  { from: [206, 177], to: [316, 205], label: ['ShouldRateLimit', 'gRPC, 8081'], at: [264, 160], anchor: 'middle' },
  { from: [196, 293], to: [316, 265], label: ['gRPC, or', '/json on 8080'], at: [260, 310], anchor: 'middle' },
  {
    from: [562, 235],
    to: [670, 235],
    label: ['all hits of a turn', 'in one script call'],
    at: [617, 210],
    anchor: 'middle',
  },
  { from: [343, 84], to: [396, 125], label: ['read again at', 'each change'], at: [276, 106] },
  { from: [527, 84], to: [494, 125], label: ['taken or refused', 'as a whole'], at: [522, 106] },
  { from: [270, 392], to: [370, 336] },
  { from: [435, 392], to: [435, 336], label: ['/metrics on 8080'], at: [444, 372] },
  { from: [512, 336], to: [610, 392], label: ['OTLP'], at: [582, 366] },
];

/** Who asks, who decides, who counts, and who is told. */
export function architecturePlot(): string {
  const head = `<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0.5L7.5 4L0 7.5Z" fill="${COLOR.soft}"/></marker></defs>`;
  return svg(
    WIDTH,
    HEIGHT,
    'Envoys and services ask weir processes, which read rules, count in Redis, and tell Prometheus',
    [head, ...ARROWS.flatMap(arrow), ...BOXES.flatMap(box)],
  );
}

function box({ x, y, width, height, title, lines, fill, stroke, stack = 1 }: Box): string[] {
  const sheets = Array.from({ length: stack }, (_, i) => (stack - 1 - i) * 6);
  const middle = x + width / 2;
  return [
    ...sheets.map(
      (by) =>
        `<rect x="${x + by}" y="${y - by}" width="${width}" height="${height}" rx="6" fill="${fill}" stroke="${stroke}"/>`,
    ),
    text(middle, y + 22, title, { size: 14, bold: true, anchor: 'middle' }),
    ...lines.map((said, i) =>
      text(middle, y + 41 + i * (lines.length > 4 ? 25 : 16), said, { anchor: 'middle', fill: COLOR.soft }),
    ),
  ];
}

function arrow({ from, to, label = [], at = [0, 0], anchor = 'start' }: Arrow): string[] {
  return [
    `<path d="M${px(from[0])} ${px(from[1])}L${px(to[0])} ${px(to[1])}" stroke="${COLOR.soft}" stroke-width="1.4" marker-end="url(#head)"/>`,
    ...label.map((said, i) => text(at[0], at[1] + i * 14, said, { anchor, fill: COLOR.soft })),
  ];
}
