/** Name and sorted labels -> value. Empty labels are none. */
export type Series = Readonly<Record<string, number>>;

/** The series of an exposition whose names fit. */
export function seriesOf(exposition: string, names: RegExp): Series {
  const found = [...exposition.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].filter(([, name]) => names.test(name!));
  return Object.fromEntries(
    found.map(([, name, labels = '', value]) => {
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].filter(([, , text]) => text !== '');
      const sorted = pairs.map(([, label, text]) => `${label}=${label === 'le' ? Number(text) || text : text}`).sort();
      return [`${name}{${sorted.join()}}`, Number(value)];
    }),
  );
}
