import { expect } from 'chai';
import { orSkip } from '../foreign/toolchain.ts';
import { type Certificates, certificates } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { ownProcess } from '../support/process.ts';
import { CASES } from './cases.ts';
import { type InteropServer, interopServer } from './server.ts';

/** A toolchain that has never built anything here may fetch and compile a great deal. */
const BUILD_MS = 840_000;
const CASE_MS = 120_000;
/** Also over TLS; for the others it is no matter what carries the bytes. */
const OVER_TLS: ReadonlySet<string> = new Set(['unary', 'large', 'goaway']);

export interface ForeignClient {
  /** Of the library, as it is in the title. */
  readonly name: string;
  /** The title says so; absent: what is there anyway. */
  readonly needs?: string;
  /** A command and its first arguments; ADDRESS CA CASE are put after them. */
  readonly program: () => Promise<readonly string[]>;
  /** What its library has no way to do, and why. */
  readonly without?: Readonly<Record<string, string>>;
  /** What it prints for a case in place of what the others do. */
  readonly prints?: Readonly<Record<string, object>>;
}

/** Every case by one client that nobody here wrote. */
export function clientSuite({ name, needs, program, without = {}, prints: own = {} }: ForeignClient): void {
  describe(needs === undefined ? name : `${name} (needs ${needs})`, function () {
    this.timeout(CASE_MS);
    let command: readonly string[];
    let authority: Certificates;

    before(async function () {
      this.timeout(BUILD_MS);
      command = await orSkip(this, program);
      authority = await certificates();
    });

    after(() => authority?.remove());

    for (const over of ['plain text', 'TLS'] as const) {
      describe(`over ${over}`, () => {
        let server: InteropServer;

        beforeEach(async () => {
          server = await interopServer(over === 'TLS' ? await authority.sign('IP:127.0.0.1') : undefined);
        });

        afterEach(() => server?.close());

        for (const { name: caseName, does, prints, seen = () => true } of CASES) {
          if (caseName in without || (over === 'TLS' && !OVER_TLS.has(caseName))) continue;
          it(does, async () => {
            const ca = over === 'TLS' ? authority.ca : '-';
            const answer = await answerOf([...command, server.address, ca, caseName]);
            expect(answer).to.deep.equal({ case: caseName, ...(own[caseName] ?? prints) });
            const look = () => seen(server.seen, server.bytesRead());
            await eventually(caseName, look).catch(() => expect.fail(`the server has seen ${text(server)}`));
            expect(server.failures, 'connections that were ended for an error').to.deep.equal([]);
          });
        }
      });
    }
  });
}

async function answerOf([command, ...args]: readonly string[]): Promise<object> {
  const child = await ownProcess({ name: command!, command: command!, args });
  const { code } = await child.ended;
  expect(code, child.output()).to.equal(0);
  const lines = child
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  expect(lines, child.output()).to.have.length(1);
  return JSON.parse(lines[0]!) as object;
}

function text({ seen, bytesRead }: InteropServer): string {
  const plain = { ...seen, calls: [...seen.calls], fates: [...seen.fates], encodings: [...seen.encodings] };
  return JSON.stringify({ ...plain, bytesRead: bytesRead() });
}
