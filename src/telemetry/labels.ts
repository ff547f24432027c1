/** Labels of a rule's series. Prometheus takes an empty `key2` for an absent one, so it is never there when empty. */
export type RuleLabels = { readonly domain: string; readonly key1: string; readonly key2?: string };

const IPV4 = /(?:\d{1,3}\.){3}\d{1,3}/g;

/** A metric key as statsd takes it: no `:`, no `|`, no dots inside an IPv4 address, and well-formed Unicode. */
export function sanitised(metricKey: string): string {
  return metricKey
    .toWellFormed()
    .replace(/[:|]/g, '_')
    .replace(IPV4, (address) => address.replaceAll('.', '_'));
}

/** A metric key on a statsd line, which a control character, such as the end of a line, would break. */
export function statName(metricKey: string): string {
  return sanitised(metricKey).replace(/\p{Cc}/gu, '_');
}

/** Splits a metric key at its dots, as the field's statsd mapping does; levels from the third on are summed in. */
export function ruleLabels(metricKey: string): RuleLabels {
  const [domain = '', key1 = '', key2 = ''] = sanitised(metricKey).split('.', 3);
  return key2 === '' ? { domain, key1 } : { domain, key1, key2 };
}

/** Name of a series that the statsd mapping does not know: the whole key goes into the name. */
export function unmappedName(metricKey: string, stat: string): string {
  return `ratelimit_service_rate_limit_${sanitised(metricKey)}_${stat}`.replace(/[^a-zA-Z0-9_]/gu, '_');
}

/** Labels that mean something in the format itself: with a value of ours there, readers such as promtool refuse the page. */
const RESERVED_LABEL = /^(?:le|quantile|__.*)$/;

/**
 * EXTRA_TAGS as labels: a name that Prometheus would refuse is told with underscores, and one that it reserves with
 * `exported_` before it, as it does itself with labels that clash.
 */
export function tagLabels(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const labels = Object.entries(tags).map(([key, value]) => [labelName(key), value]);
  return Object.fromEntries(labels);
}

function labelName(key: string): string {
  const name = key.replace(/\W/g, '_').replace(/^(?=\d)/, '_');
  return RESERVED_LABEL.test(name) ? `exported_${name}` : name;
}
