import type { RulesDocument } from '../../src/core/ports.ts';

/** A set of `count` rules in one file, in the style of what a generator writes: about 100 bytes a rule. */
export function largeSet(count: number, domain = 'large'): readonly RulesDocument[] {
  const lines = [`domain: ${domain}`, 'descriptors:'];
  for (let i = 0; i < count; i++) {
    lines.push('  - key: user', `    value: user-${i}`, '    rate_limit:', '      unit: minute');
    lines.push(`      requests_per_unit: ${(i % 1_000) + 1}`);
  }
  return [{ name: `${domain}.yaml`, text: `${lines.join('\n')}\n` }];
}
