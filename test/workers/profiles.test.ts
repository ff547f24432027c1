import { get as httpGet, type IncomingMessage } from 'node:http';
import { expect } from 'chai';
import { closers } from '../service/closers.ts';
import { page } from '../service/page.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis } from '../support/redis.ts';
import { allEnd, type Bed, bed, WORKERS } from './bed.ts';

const RULES = { 'd.yaml': { domain: 'd', descriptors: [] } };
const CPU = '/debug/pprof/profile';
const HEAP = '/debug/pprof/heap';

describe(`profiles of ${WORKERS} workers`, function () {
  this.timeout(120_000);
  const opened = closers();
  let on: Bed;

  before(async function () {
    needsRedis(this);
    on = await bed(RULES, { DEBUG_PROFILES: 'true' });
    opened(on, on.close);
  });

  const answer = (path: string) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      httpGet({ host: '127.0.0.1', port: on.weir.adminPort, path, agent: false }, resolve).once('error', reject);
    });
  const status = async (path: string): Promise<number> => (await page(on.weir.adminPort, path)).status;
  const busy = (): Promise<unknown> =>
    // What is asked for wrongly is refused at once, and tells whether one is being made.
    eventually('a profile to begin', async () => (await status(`${CPU}?seconds=0`)) === 409);
  const pidOf = ({ headers }: IncomingMessage): number =>
    Number(/^attachment; filename="weir-(\d+)\./.exec(headers['content-disposition'] ?? '')?.[1]);
  async function whole(response: IncomingMessage): Promise<Record<string, never>> {
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    return JSON.parse(Buffer.concat(parts).toString());
  }

  it('are of the first worker, of the one that is named, or of the process above them', async () => {
    const [first, second] = on.pids() as [number, number];
    const asked = { '': first, '&worker=1': first, '&worker=2': second, '&worker=0': on.weir.process().pid };
    for (const [query, pid] of Object.entries(asked)) {
      const response = await answer(`${CPU}?seconds=1${query}`);
      expect(response.statusCode).to.equal(200);
      expect(pidOf(response), query).to.equal(pid);
      expect(await whole(response))
        .to.have.property('samples')
        .that.is.an('array').and.not.empty;
    }
    expect(await status(`${CPU}?seconds=1&worker=3`)).to.equal(404);
    expect(await status(`${HEAP}?worker=3`)).to.equal(404);
  });

  it('are whole heap snapshots of a worker, also after one that was left half read', async () => {
    (await answer(HEAP)).destroy();
    const response = await eventually('the next to be made', async () => {
      const found = await answer(HEAP);
      if (found.statusCode === 200) return found;
      found.destroy();
      return false;
    });
    expect(pidOf(response)).to.equal(on.pids()[0]);
    const { snapshot, nodes } = (await whole(response)) as unknown as {
      snapshot: { node_count: number; meta: { node_fields: unknown[] } };
      nodes: number[];
    };
    expect(snapshot.node_count).to.be.greaterThan(1_000);
    expect(nodes).to.have.length(snapshot.node_count * snapshot.meta.node_fields.length);
  });

  it('of a minute end when the caller hangs up, and the next may begin', async () => {
    const path = `${CPU}?seconds=60`;
    const request = httpGet({ host: '127.0.0.1', port: on.weir.adminPort, path, agent: false }).on('error', () => {});
    await busy();
    request.destroy();
    await eventually('the next', async () => (await status(`${CPU}?seconds=1`)) === 200);
  });

  it('of a minute keep no worker from stopping', async function () {
    this.timeout(30_000);
    const [stopped] = on.pids() as [number];
    const asked = answer(`${CPU}?seconds=60`);
    await busy();
    process.kill(stopped, 'SIGTERM');
    expect((await asked).resume().statusCode).to.equal(503);
    await allEnd([stopped]);
    await on.whole();
  });

  it('of a minute end with 503 when the worker is killed, and the next one is of another', async () => {
    const [killed, other] = on.pids() as [number, number];
    const asked = answer(`${CPU}?seconds=60`);
    await busy();
    process.kill(killed, 'SIGKILL');
    const refused = await asked;
    refused.resume();
    expect(refused.statusCode).to.equal(503);
    const next = await answer(`${CPU}?seconds=1`);
    next.resume();
    expect(pidOf(next)).to.equal(other);
  });
});
