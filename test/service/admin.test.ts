import { expect } from 'chai';
import { type Service, service } from '../support/service.ts';
import { caller, one } from './caller.ts';
import { closers } from './closers.ts';
import { page } from './page.ts';

const RULES = {
  'b.yaml': { domain: 'second', descriptors: [{ key: 'path', value: '/x', rate_limit: { unlimited: true } }] },
  'a.yaml': {
    domain: 'first',
    descriptors: [
      {
        key: 'user',
        rate_limit: { unit: 'year', requests_per_unit: 10 },
        descriptors: [{ key: 'path', shadow_mode: true, rate_limit: { unit: 'day', requests_per_unit: 7 } }],
      },
    ],
  },
};

describe('the pages of a service that has decided twice', () => {
  const opened = closers();
  let weir: Service;

  before(async () => {
    weir = await service({ rules: RULES });
    opened(weir, weir.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    await client.check(one('first', 'user', 'ann'));
    await client.check(one('first', 'user', 'ann', 20));
  });

  const admin = (path: string) => page(weir.adminPort, path);

  it('/rlconfig lists its 3 limits, in the order of the files', async () => {
    expect(await admin('/rlconfig')).to.deep.equal({
      status: 200,
      type: 'text/plain; charset=utf-8',
      body: [
        'first.user: unit=YEAR requests_per_unit=10, shadow_mode: false, quota_mode: false',
        'first.user.path: unit=DAY requests_per_unit=7, shadow_mode: true, quota_mode: false',
        'second.path_/x: unit=UNKNOWN requests_per_unit=0, shadow_mode: false, quota_mode: false',
        '',
      ].join('\n'),
    });
  });

  it('/rules tells generation, files, domains, and no problem', async () => {
    const { body, type } = await admin('/rules');
    expect(type).to.equal('application/json');
    const { state, live, refused } = JSON.parse(body);
    expect([state, refused]).to.deep.equal(['loaded', null]);
    expect(live).to.deep.include({ generation: 1, files: 2, domainCount: 2, domains: ['first', 'second'] });
  });

  it('/metrics tells 21 hits, 11 of them over, on both ports', async () => {
    for (const port of [weir.adminPort, weir.httpPort]) {
      const { status, type, body } = await page(port, '/metrics');
      expect([status, type]).to.deep.equal([200, 'text/plain; version=0.0.4; charset=utf-8']);
      expect(body).to.include('\nratelimit_service_rate_limit_total_hits{domain="first",key1="user"} 21\n');
      expect(body).to.include('\nratelimit_service_rate_limit_over_limit{domain="first",key1="user"} 11\n');
      expect(body).to.include('\nratelimit_decisions_total{domain="first",code="over_limit"} 1\n');
      expect(body).to.include('\nweir_store_info{kind="memory"} 1\n');
      expect(body).to.match(/^process_resident_memory_bytes \d+$/m);
    }
  });

  it('/stats tells the same series as JSON', async () => {
    const stats = JSON.parse((await admin('/stats')).body);
    expect(stats['ratelimit_service_rate_limit_total_hits{domain="first",key1="user"}']).to.equal(21);
  });

  it('/ and what is not known list the endpoints', async () => {
    for (const path of ['/', '/unknown']) {
      const { status, body } = await admin(path);
      expect(status).to.equal(200);
      expect(body).to.include('/rlconfig: ').and.include('/stats: ');
    }
  });

  it('are not on the HTTP port, which answers 404', async () => {
    for (const path of ['/', '/rlconfig', '/rules', '/stats', '/debug/pprof/']) {
      expect((await page(weir.httpPort, path)).status, path).to.equal(404);
    }
  });
});
