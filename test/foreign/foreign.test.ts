import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ownProcess } from '../support/process.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';
import { type Answer, answerOf, type Line } from './answer.ts';
import { grpcurl } from './go-tools.ts';
import { goClient, orSkip, python } from './toolchain.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const METHOD = 'envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

interface Case {
  readonly name: string;
  readonly request: { readonly domain?: string };
  readonly answer: Answer;
  /** The id of a difference from the Go service, to which SKIP_DIFFERENCES=1 does not send this. */
  readonly differs?: string;
}

describe('clients that nobody here wrote', function () {
  this.timeout(300_000);
  let redis: OwnRedis;
  let limiter: Service;
  let dir: string;
  let cases: readonly Case[];
  let address: string;

  before(async function () {
    needsRedis(this);
    const file = JSON.parse(await readFile(join(HERE, 'cases.json'), 'utf8')) as { rules: object[]; cases: Case[] };
    cases = file.cases.filter((c) => process.env.SKIP_DIFFERENCES !== '1' || c.differs === undefined);
    dir = await mkdtemp(join(tmpdir(), 'weir-foreign-'));
    await writeFile(join(dir, 'cases.json'), JSON.stringify({ cases }));
    redis = await ownRedis();
    limiter = await service({
      redis: redis.url,
      rules: Object.fromEntries(
        ['grpcurl', 'python', 'go'].map((domain) => [`${domain}.yaml`, { domain, descriptors: file.rules }]),
      ),
    });
    address = `127.0.0.1:${limiter.grpcPort}`;
  });

  after(async () => {
    await limiter?.close();
    await redis?.stop();
    if (dir) await rm(dir, { recursive: true, force: true });
  });

  const check = (lines: readonly Line[]) => {
    const answers = lines.map((line) => ({ name: line.name, answer: answerOf(line) }));
    const expected = cases.map(({ name, answer }, i) => ({
      name,
      // The text of an error is compared where the case names it.
      answer: 'error' in answer && !answer.message ? { ...answer, message: messageOf(answers[i]?.answer) } : answer,
    }));
    expect(answers).to.deep.equal(expected);
  };

  const linesOf = async (command: string, args: readonly string[]): Promise<Line[]> => {
    const child = await ownProcess({ name: command, command, args });
    const { code } = await child.ended;
    expect(code, child.output()).to.equal(0);
    return child
      .output()
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as Line);
  };

  it('grpcurl, which knows the API by reflection alone, gets the expected answers (needs go) @weir', async function () {
    const binary = await orSkip(this, grpcurl);
    const lines: Line[] = [];
    for (const { name, request } of cases) {
      const domain = request.domain?.replace('DOMAIN', 'grpcurl') ?? '';
      const data = JSON.stringify({ ...request, domain });
      const child = await ownProcess({
        name: 'grpcurl',
        command: binary,
        args: ['-plaintext', '-format-error', '-max-time', '10', '-d', data, address, METHOD],
      });
      const { code } = await child.ended;
      if (!child.output().startsWith('{')) throw new Error(`grpcurl: ${child.output()}`);
      const said = JSON.parse(child.output()) as never;
      lines.push(code === 0 ? { name, response: said } : { name, error: said });
    }
    check(lines);
  });

  it('a Python client through envoy-data-plane gets the expected answers (needs python3)', async function () {
    const interpreter = await orSkip(this, python);
    check(await linesOf(interpreter, [join(HERE, 'python/client.py'), address, join(dir, 'cases.json'), 'python']));
  });

  it('a Go client through go-control-plane gets the expected answers (needs go)', async function () {
    const binary = await orSkip(this, goClient);
    check(await linesOf(binary, [address, join(dir, 'cases.json'), 'go']));
  });
});

function messageOf(answer: Answer | undefined): string {
  return answer && 'error' in answer ? (answer.message ?? '') : '';
}
