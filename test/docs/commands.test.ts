import { expect } from 'chai';
import { needsRedis } from '../support/redis.ts';
import { type Block, blocksOf, PAGES } from './page.ts';
import { type Answered, type Terminal, terminal } from './terminal.ts';

const TLS = 'test/service/secure-grpc.test.ts';
const ENVOY = 'test/e2e/readme.test.ts runs these files';

/** How a command begins, and who runs it in place of these tests. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'alias weir=': 'the terminal of these tests has a `weir`',
  'make test': 'it would run these tests again',
  'envoy -c': ENVOY,
  'node -e': ENVOY,
  'curl -i http://127.0.0.1:10000/': ENVOY,
  'docker ': 'test/container and test/dropin start what it builds',
  'make sbom': 'test/release/package.test.ts asks for it',
  'weir serve --rules rules/ --grpc-server-use-tls': TLS,
  'weir client --tls-ca': TLS,
  'make bench': 'it measures, and writes down what it measured',
  'make soak': 'it is the long form of other suites',
};

const shown = PAGES.map((page) => ({ page, steps: stepsOf(page) })).filter(({ steps }) => steps.length > 0);

describe('commands on the pages', function () {
  this.timeout(300_000);
  for (const { page, steps } of shown) {
    describe(page, () => {
      let shell: Terminal;
      before(async function () {
        if (steps.some(({ commands }) => commands.some((it) => /redis|6379/i.test(it)))) needsRedis(this);
        shell = await terminal();
        for (const { file, text } of blocksOf(page)) if (file !== null) await shell.write(file, text);
      });
      after(() => shell?.close());

      for (const { at, commands, sample } of steps) {
        it(`do what it says at line ${at}: ${commands[0]}`, async () => {
          let output = '';
          for (const command of commands) {
            const answered = await shell.run(command);
            expect(answered.code, `${command}\n${answered.output}`).to.satisfy(isExpected(answered, sample));
            output += answered.output;
          }
          if (sample !== null) expect(plain(output)).to.match(pattern(sample));
        });
      }
    });
  }

  it('are all run here, but for those that others run', () => {
    const all = PAGES.flatMap(blocksOf).filter(isShell).flatMap(commandsOf);
    const unused = Object.keys(ELSEWHERE).filter((start) => !all.some((command) => command.startsWith(start)));
    expect(unused).to.deep.equal([]);
  });
});

interface Step {
  readonly at: number;
  readonly commands: readonly string[];
  /** What the page says that they print; null when it says nothing. */
  readonly sample: string | null;
}

function stepsOf(page: string): readonly Step[] {
  const blocks = blocksOf(page);
  return blocks.flatMap((block, i) => {
    if (!isShell(block)) return [];
    const commands = commandsOf(block).filter((it) => !Object.keys(ELSEWHERE).some((start) => it.startsWith(start)));
    const next = blocks[i + 1];
    return commands.length === 0
      ? []
      : [{ at: block.line, commands, sample: next?.language === 'text' ? next.text : null }];
  });
}

function isShell({ language }: Block): boolean {
  return language === 'sh';
}

/** One for each line; a backslash at its end goes on with the next. */
function commandsOf({ text }: Block): readonly string[] {
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/\s+# .*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** Something that serves has not ended; `weir client` ends with 1 when it was refused, if the page says so. */
function isExpected({ output }: Answered, sample: string | null): (code: number | null) => boolean {
  const refused = output.startsWith('OVER_LIMIT') && sample?.includes('OVER_LIMIT') === true;
  return (code) => code === null || code === (refused ? 1 : 0);
}

/** Without what differs from run to run: seconds, times in counter keys, and the units of the rules that are served. */
function plain(text: string): string {
  return text
    .replace(/"\d+s"/g, '"Ns"')
    .replace(/resets in .*$/gm, 'resets in N s')
    .replace(/_\d{10}\b/g, '_T')
    .replaceAll('per day', 'per minute')
    .replaceAll('unit=DAY', 'unit=MINUTE');
}

/** `...` on a line of its own stands for any number of lines. */
function pattern(sample: string): RegExp {
  const parts = plain(sample)
    .split(/^\.\.\.\n/m)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[\\s\\S]*')}$`);
}
