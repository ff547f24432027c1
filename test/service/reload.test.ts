import { mkdir, mkdtemp, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { stringify } from 'yaml';
import { eventually } from '../support/eventually.ts';
import { type Service, service } from '../support/service.ts';
import { type Caller, caller, one } from './caller.ts';
import { closers } from './closers.ts';
import { metric, page, probes } from './page.ts';
import { traffic } from './traffic.ts';

const STEADY = ruleFile('steady', 4_000_000_000);
const BROKEN = 'domain: canary\ndescriptors:\n  - key: user\n    rate_limt: {}\n';
const SWAPS = 50;

/** One file with one limit. The canary's limit is either none or far away, so its answer tells which set is live. */
function ruleFile(domain: string, requests: number): string {
  const rate_limit = { unit: 'year', requests_per_unit: requests };
  return stringify({ domain, descriptors: [{ key: 'user', rate_limit }] });
}

const refusing = ruleFile('canary', 0);
const passing = (i = 0) => ruleFile('canary', 1_000_000 + i);

for (const configMap of [true, false]) {
  describe(`rules that change under load, ${configMap ? 'in a ConfigMap' : 'as plain files'}`, () => {
    const opened = closers();
    let weir: Service;
    let client: Caller;

    before(async () => {
      weir = await service({ rules: { 'canary.yaml': passing(), 'steady.yaml': STEADY }, configMap });
      opened(weir, weir.close);
      client = caller(weir.grpcPort);
      opened(client, client.close);
    });

    async function canaryIs(answer: 'OK' | 'OVER_LIMIT'): Promise<void> {
      await eventually(`the canary's ${answer}`, async () => (await client.ask(one('canary', 'user', 'c'))) === answer);
    }

    /** Runs `change` under load; no call fails, and the steady rule never lets go. */
    async function underLoad(change: () => Promise<void>): Promise<void> {
      const load = traffic(client, one('steady', 'user', 'ann'));
      let answers: Record<string, number>;
      try {
        await load.goesOn();
        await change();
        await load.goesOn();
      } finally {
        answers = await load.end();
      }
      expect(Object.keys(answers)).to.deep.equal(['OK']);
    }

    const generation = () => metric(weir.httpPort, 'ratelimit_rules_generation');
    const refusals = () => metric(weir.httpPort, 'ratelimit_service_config_load_error');

    if (configMap) {
      const swap = (canary: string) => weir.swap({ 'canary.yaml': canary, 'steady.yaml': STEADY });

      it('takes a swapped set', async () => {
        await underLoad(async () => {
          await swap(refusing);
          await canaryIs('OVER_LIMIT');
        });
      });

      it(`takes the last of ${SWAPS} swaps in a row`, async () => {
        await underLoad(async () => {
          for (let i = 1; i <= SWAPS; i++) await swap(passing(i));
          await eventually('the limit of the last set', async () => {
            const { statuses } = await client.check(one('canary', 'user', 'c'));
            return statuses[0]!.currentLimit!.requestsPerUnit === 1_000_000 + SWAPS;
          });
          await swap(refusing);
          await canaryIs('OVER_LIMIT');
        });
        expect(await refusals()).to.equal(0);
      });

      it('keeps what is live when a broken set comes: only the counter, a log line and /rules tell', async () => {
        const before = { generation: await generation(), refusals: await refusals() };
        await underLoad(async () => {
          await swap(BROKEN);
          await eventually('the refusal', async () => (await refusals()) > before.refusals);
        });
        expect(await client.ask(one('canary', 'user', 'c'))).to.equal('OVER_LIMIT');
        expect({ generation: await generation(), refusals: await refusals() }).to.deep.equal({
          generation: before.generation,
          refusals: before.refusals + 1,
        });
        expect(await metric(weir.httpPort, 'ratelimit_rules_problems')).to.be.greaterThan(0);
        expect(await probes(weir.httpPort)).to.deep.equal({ livez: 200, healthcheck: 200, readyz: 200 });
        const { live, refused } = JSON.parse((await page(weir.adminPort, '/rules')).body);
        expect(live.generation).to.equal(before.generation);
        expect(refused.problems[0]).to.include({ file: 'canary.yaml', line: 4, hint: "did you mean 'rate_limit'?" });
        const lines = weir.process().output().split('\n');
        expect(lines.filter((line) => line.includes('rules refused'))).to.have.length(1);
      });

      it('forgets the broken set with the next good one', async () => {
        await underLoad(async () => {
          await swap(passing(1));
          await canaryIs('OK');
        });
        expect(await metric(weir.httpPort, 'ratelimit_rules_problems')).to.equal(0);
        expect(JSON.parse((await page(weir.adminPort, '/rules')).body).refused).to.equal(null);
      });
    } else {
      const file = () => join(weir.rulesDir, 'canary.yaml');

      it('takes a file that was written in place', async () => {
        await underLoad(async () => {
          await writeFile(file(), refusing);
          await canaryIs('OVER_LIMIT');
        });
      });

      it('takes a file that was renamed into place', async () => {
        await underLoad(async () => {
          await writeFile(`${weir.rulesDir}-next`, passing());
          await rename(`${weir.rulesDir}-next`, file());
          await canaryIs('OK');
        });
      });

      it('takes a file that was written in place again and again without changing its size', async () => {
        await underLoad(async () => {
          for (let i = 0; i < SWAPS; i++) await writeFile(file(), passing(i));
          await writeFile(file(), ruleFile('canary', 0).padEnd(passing().length, '\n'));
          await canaryIs('OVER_LIMIT');
        });
      });

      it('forgets the rules of a file that was deleted, and takes them when it is created', async () => {
        await underLoad(async () => {
          await unlink(file());
          await canaryIs('OK');
          await writeFile(file(), refusing);
          await canaryIs('OVER_LIMIT');
        });
      });

      it('takes a new file beside the others', async () => {
        await underLoad(async () => {
          await writeFile(join(weir.rulesDir, 'new.yaml'), ruleFile('new', 0));
          const asked = () => client.ask(one('new', 'user', 'c'));
          await eventually('the new domain', async () => (await asked()) === 'OVER_LIMIT');
        });
      });
    }
  });
}

describe('rules that are not there at the start', () => {
  const opened = closers();
  let parent: string;
  let weir: Service;
  let client: Caller;

  before(async () => {
    parent = await mkdtemp(join(tmpdir(), 'weir-late-'));
    opened(parent, () => rm(parent, { recursive: true, force: true }));
    const env = { RULES: join(parent, 'below', 'rules') };
    weir = await service({ rules: {}, env, until: 'open' });
    opened(weir, weir.close);
    client = caller(weir.grpcPort);
    opened(client, client.close);
  });

  it('stays up, is not ready, and answers FAILED_PRECONDITION', async () => {
    const { livez, readyz } = await probes(weir.httpPort);
    expect([livez, readyz]).to.deep.equal([200, 503]);
    expect(await client.health('')).to.equal('NOT_SERVING');
    expect(await client.ask(one('late', 'user', 'c'))).to.equal(
      'FAILED_PRECONDITION: no rate limit configuration loaded',
    );
    expect(weir.process().output()).to.include('no such file or directory');
  });

  it('stays so while what appears is broken', async () => {
    await mkdir(join(parent, 'below', 'rules'), { recursive: true });
    await writeFile(join(parent, 'below', 'rules', 'late.yaml'), BROKEN);
    await eventually('the problem', async () => (await page(weir.adminPort, '/rules')).body.includes('rate_limt'));
    expect((await probes(weir.httpPort)).readyz).to.equal(503);
    expect(await client.ask(one('late', 'user', 'c'))).to.match(/^FAILED_PRECONDITION: /);
  });

  it('serves as soon as they are there', async () => {
    await writeFile(join(parent, 'below', 'rules', 'late.yaml'), ruleFile('late', 0));
    await eventually('a decision', async () => (await client.ask(one('late', 'user', 'c'))) === 'OVER_LIMIT');
    expect(await probes(weir.httpPort)).to.deep.equal({ livez: 200, healthcheck: 200, readyz: 200 });
    expect(await client.health('')).to.equal('SERVING');
  });
});
