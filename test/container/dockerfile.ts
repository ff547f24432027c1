/** One line of a Dockerfile, continuations joined. */
export interface Instruction {
  readonly name: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly rest: string;
}

export interface Stage {
  readonly image: string;
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

/** The stages of a Dockerfile, as far as ours uses its language. Throws for an instruction that it does not know. */
export function stagesOf(text: string): readonly Stage[] {
  const stages: { image: string; name: string; instructions: Instruction[] }[] = [];
  for (const line of joined(text)) {
    const [, name = '', words = ''] = /^(\S+)\s+(.*)$/s.exec(line) ?? [];
    if (!KNOWN.has(name)) throw new Error(`the test does not know ${name}`);
    if (name === 'FROM') {
      const [, image = '', , as = ''] = /^(\S+)(\s+AS\s+(\S+))?$/.exec(words) ?? [];
      stages.push({ image, name: as, instructions: [] });
      continue;
    }
    const flags: Record<string, string> = {};
    let rest = words;
    for (let flag = FLAG.exec(rest); flag !== null && name !== 'RUN'; flag = FLAG.exec(rest)) {
      flags[flag[1] as string] = flag[2] as string;
      rest = rest.slice(flag[0].length);
    }
    stages.at(-1)?.instructions.push({ name, flags, rest });
  }
  return stages;
}

const KNOWN = new Set([
  ...['FROM', 'WORKDIR', 'COPY', 'RUN', 'ARG', 'LABEL', 'USER', 'EXPOSE', 'HEALTHCHECK', 'ENTRYPOINT'],
]);
const FLAG = /^--([\w-]+)=(\S+)\s+/;

function joined(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
}
