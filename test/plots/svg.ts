/** The few colours of all pictures: readable on the white card that each is drawn on, whatever the page is. */
export const COLOR = {
  ink: '#1f2933',
  soft: '#52606d',
  line: '#9aa5b1',
  card: '#ffffff',
  pale: '#f0f4f8',
  blue: '#0b69a3',
  paleBlue: '#d7ebf7',
  red: '#ba2525',
  paleRed: '#fbe3e3',
  green: '#0f7a4c',
  paleGreen: '#def2e8',
  yellow: '#8d5a00',
  paleYellow: '#fdf1d3',
} as const;

export interface TextStyle {
  readonly size?: number;
  readonly bold?: boolean;
  readonly fill?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
}

/** A picture on a white card, with a title for those who do not see it. */
export function svg(width: number, height: number, title: string, body: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11" role="img" aria-labelledby="title">
  <title id="title">${escaped(title)}</title>
  <rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8" fill="${COLOR.card}" stroke="${COLOR.line}"/>
${body.map((line) => `  ${line}`).join('\n')}
</svg>
`;
}

export function text(x: number, y: number, said: string, style: TextStyle = {}): string {
  const { size, bold = false, fill = COLOR.ink, anchor = 'start' } = style;
  const more = [
    size === undefined ? '' : ` font-size="${size}"`,
    bold ? ' font-weight="600"' : '',
    anchor === 'start' ? '' : ` text-anchor="${anchor}"`,
  ];
  return `<text x="${px(x)}" y="${px(y)}"${more.join('')} fill="${fill}">${escaped(said)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, stroke: string, more = ''): string {
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" stroke="${stroke}"${more}/>`;
}

export const px = (value: number): string => String(Number(value.toFixed(1)));

function escaped(said: string): string {
  return said.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
