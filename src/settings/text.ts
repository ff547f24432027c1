import { flagOf, isSwitch } from './setting.ts';
import { ENTRIES } from './settings.ts';

/** The settings part of --help. */
export function settingsHelp(): string {
  const lines: string[] = [];
  let last = '';
  for (const [, setting] of ENTRIES) {
    if (setting.group !== last) lines.push('', `${setting.group}:`);
    last = setting.group;
    const flag = `--${flagOf(setting)}${isSwitch(setting) ? '' : ` <${setting.form}>`}`;
    const fallback = setting.default === '' ? '' : ` [${setting.default}]`;
    lines.push(`  ${flag}`, `      ${setting.doc}${fallback}`);
  }
  return lines.join('\n');
}

/** The table of docs/settings.md. */
export function settingsTable(): string {
  let last = '';
  const rows = ENTRIES.flatMap(([, setting]) => {
    const group = setting.group === last ? [] : [`| **${setting.group}** | | | | |`];
    last = setting.group;
    const fallback = setting.default === '' ? '' : `\`${setting.default}\``;
    const form = setting.form.replaceAll('|', ' or ');
    return [...group, `| \`${setting.env}\` | \`--${flagOf(setting)}\` | ${form} | ${fallback} | ${setting.doc} |`];
  });
  return ['| Environment | Flag | Value | Default | |', '|---|---|---|---|---|', ...rows].join('\n');
}
