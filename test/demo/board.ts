import type { Questions, Sample } from '../receivers/prometheus.ts';

const DECISIONS = 'sum by (domain, code) (ratelimit_decisions_total{domain!="_unknown"})';
const RATES = 'sum by (domain, code) (rate(ratelimit_decisions_total{domain!="_unknown"}[10s]))';
const REFUSED = 'topk(3, sum by (domain, key1, key2) (rate(ratelimit_service_rate_limit_over_limit[10s])) > 0)';

/** What Prometheus knows now, as lines: allowed and denied by domain, and who is over a limit most, shadow rules included. */
export async function board(prometheus: Questions): Promise<readonly string[]> {
  const [totals = [], rates = [], refused = []] = await Promise.all(
    [DECISIONS, RATES, REFUSED].map(prometheus.samples),
  );
  const domains = [...new Set(totals.map(({ labels }) => labels.domain ?? ''))].sort();
  if (domains.length === 0) return ['  Prometheus has not scraped weir yet.'];
  const rows = domains.map((domain) => [
    domain,
    ...['ok', 'over_limit'].flatMap((code) => [
      countOf(totals, domain, code).toFixed(0),
      `${countOf(rates, domain, code).toFixed(1)}/s`,
    ]),
  ]);
  const most = [...refused].sort((a, b) => b.value - a.value).map(told);
  return [
    ...[['domain', 'allowed', '', 'denied', ''], ...rows].map(line),
    `  over a limit most: ${most.length === 0 ? 'nobody yet' : most.join(', ')}`,
  ];
}

function countOf(samples: readonly Sample[], domain: string, code: string): number {
  return samples.find(({ labels }) => labels.domain === domain && labels.code === code)?.value ?? 0;
}

function told({ labels: { domain, key1, key2 }, value }: Sample): string {
  return `${[domain, key1, key2].filter(Boolean).join('/')} (${value.toFixed(1)}/s)`;
}

function line([domain = '', ...cells]: readonly string[]): string {
  return `  ${domain.padEnd(12)}${cells.map((it) => it.padStart(10)).join('')}`;
}
