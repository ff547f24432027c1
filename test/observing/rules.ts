import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Recording {
  readonly record: string;
  readonly expr: string;
}

export interface RuleTest {
  readonly input_series: readonly { readonly series: string; readonly values: string }[];
  readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
  readonly promql_expr_test?: readonly { readonly expr: string }[];
}

export const PROMETHEUS_DIR = fileURLToPath(new URL('../../deploy/prometheus/', import.meta.url));

const read = <T>(name: string): T => parse(readFileSync(`${PROMETHEUS_DIR}${name}`, 'utf8')) as T;

const { groups } = read<{ groups: readonly { readonly rules: readonly (Alert | Recording)[] }[] }>('weir.rules.yaml');
const rules = groups.flatMap((group) => group.rules);

export const ALERTS = rules.filter((it): it is Alert => 'alert' in it);
export const RECORDINGS = rules.filter((it): it is Recording => 'record' in it);
export const RULE_TESTS = read<{ readonly tests: readonly RuleTest[] }>('weir.rules.test.yaml').tests;
