import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
  readonly format?: string;
  readonly datasource: unknown;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Target[];
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly label: string;
  readonly definition?: string;
  readonly query: unknown;
}

export interface Dashboard {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly Panel[];
}

const FILE = fileURLToPath(new URL('../../deploy/grafana/weir.json', import.meta.url));

export const DASHBOARD = JSON.parse(readFileSync(FILE, 'utf8')) as Dashboard;
/** Those that draw something, with their queries. */
export const DRAWN = DASHBOARD.panels.filter(({ type }) => type !== 'row');

/** The query as Grafana sends it for these values of the variables. */
export function filledIn(expr: string, values: Readonly<Record<string, string>>): string {
  return expr.replace(/\$(\w+)/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`nothing is known of $${name}`);
    return value;
  });
}
