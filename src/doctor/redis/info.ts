/** What INFO says, by field. */
export type Info = Readonly<Record<string, string>>;

export function info(text: string): Info {
  const lines = text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.split(':', 1)[0]!, line.slice(line.indexOf(':') + 1)]));
}
