import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { one } from '../service/caller.ts';
import { metric, page } from '../service/page.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis } from '../support/redis.ts';
import { allEnd, type Bed, bed, WORKERS } from './bed.ts';
import { type Connection, connection } from './connection.ts';

const CONNECTIONS = 4;
const MANY = 2_500;
const BROKEN = 'domain: d\ndescriptors:\n  - key: user\n    rate_limt: {}\n';

/** So many rules that they are sent in several pieces; the last one refuses its value. */
function rules(refused: string): string {
  const rule = (value: string, requests: number): string =>
    `  - { key: user, value: ${value}, rate_limit: { unit: year, requests_per_unit: ${requests} } }\n`;
  const many = Array.from({ length: MANY }, (_, i) => rule(`user-${i}`, 1_000_000));
  return `domain: d\ndescriptors:\n${many.join('')}${rule(refused, 0)}`;
}

describe(`the rules of ${WORKERS} workers`, function () {
  this.timeout(120_000);
  const clients: Connection[] = [];
  let on: Bed;

  before(async function () {
    needsRedis(this);
    on = await bed({ 'd.yaml': rules('ann') });
    for (let i = 0; i < CONNECTIONS; i++) clients.push(connection(`127.0.0.1:${on.weir.grpcPort}`));
  });
  after(async () => {
    for (const client of clients) client.close();
    await on?.close();
  });

  const change = (text: string) => writeFile(join(on.weir.rulesDir, 'd.yaml'), text);
  const answers = (value: string) => Promise.all(clients.map(({ ask }) => ask(one('d', 'user', value))));
  const refusedFor = (value: string): Promise<unknown> =>
    eventually(`no ${value} on any connection`, async () =>
      (await answers(value)).every((answer) => answer === 'OVER_LIMIT'),
    );

  it('are read once and live in all of them, and so are those they change to', async () => {
    await refusedFor('ann');
    expect(await metric(on.weir.httpPort, 'ratelimit_service_config_load_success')).to.equal(1);
    await change(rules('bob'));
    await refusedFor('bob');
    expect(await answers('ann')).to.deep.equal(Array(CONNECTIONS).fill('OK'));
    expect(await metric(on.weir.httpPort, 'ratelimit_service_config_load_success')).to.equal(2);
    expect(await metric(on.weir.httpPort, 'ratelimit_rules_generation')).to.equal(2);
    expect(await metric(on.weir.httpPort, 'ratelimit_rules')).to.equal(MANY + 1);
  });

  it('stay as they are when a set is refused, which is told once', async () => {
    await change(BROKEN);
    const refused = () => metric(on.weir.httpPort, 'ratelimit_service_config_load_error');
    await eventually('a refusal', async () => (await refused()) === 1);
    expect((await page(on.weir.adminPort, '/rules')).body).to.include('rate_limt');
    expect(await answers('bob')).to.deep.equal(Array(CONNECTIONS).fill('OVER_LIMIT'));
    const output = on.weir.process().output();
    expect(output.match(/rules refused, 2 problems/g)).to.have.length(1);
    expect(await refused()).to.equal(1);
  });

  it('are those that are live, also in a worker that starts later', async () => {
    const before = on.pids();
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await allEnd(before);
    await on.whole();
    await refusedFor('bob');
    const { status, body } = await page(on.weir.httpPort, '/readyz');
    expect(JSON.parse(body)).to.include({ rules: 'loaded' });
    expect(status).to.equal(200);
    expect(await metric(on.weir.httpPort, 'ratelimit_service_config_load_success')).to.equal(2);
  });
});
