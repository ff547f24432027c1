import { expect } from 'chai';
import { bed, perWindow, tally } from './bed.ts';

const GENERIC = { generic_key: { descriptor_value: 'all' } };
const USER = { request_headers: { header_name: 'x-user', descriptor_key: 'user' } };

// The Go service has no store in memory, so that half is weir's alone.
for (const [store, title] of [
  ['memory', 'counting in memory @weir'],
  ['redis', 'counting in Redis'],
] as const) {
  describe(title, () => {
    const b = bed({ store });

    const plain = b.route('plain', {
      limits: [{ actions: [USER] }],
      rules: [{ key: 'user', rate_limit: perWindow(2) }],
    });
    it('refuses the 3rd request of each user', async () => {
      expect(await plain.statuses(3, { headers: { 'x-user': 'ann' } })).to.deep.equal([200, 200, 429]);
      expect(await plain.statuses(3, { headers: { 'x-user': 'bob' } })).to.deep.equal([200, 200, 429]);
    });

    const units = b.route('units', {
      limits: [{ actions: [GENERIC] }, { actions: [USER] }],
      rules: [
        { key: 'generic_key', value: 'all', rate_limit: { unit: 'year', requests_per_unit: 4 } },
        { key: 'user', rate_limit: perWindow(3) },
      ],
    });
    it('holds two limits of different units at once', async () => {
      expect(await units.statuses(4, { headers: { 'x-user': 'ann' } })).to.deep.equal([200, 200, 200, 429]);
      expect(await units.statuses(1, { headers: { 'x-user': 'bob' } })).to.deep.equal([429]);
    });

    const cost = b.route('cost', {
      limits: [{ actions: [GENERIC], hits_addend: { format: '%REQ(x-cost)%' } }],
      rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(10) }],
    });
    it('charges 7 of 10, looks with 0, and refuses 4 more', async () => {
      const left = async (hits: string) => {
        const { status, headers } = await cost.get({ headers: { 'x-cost': hits } });
        return [status, headers['x-ratelimit-remaining']];
      };
      expect(await left('7')).to.deep.equal([200, '3']);
      expect(await left('0')).to.deep.equal([200, '3']);
      expect(await left('4')).to.deep.equal([429, '0']);
    });

    const burst = b.route('burst', {
      limits: [{ actions: [GENERIC] }],
      rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(50) }],
    });
    it('lets exactly 50 of 200 concurrent requests pass', async () => {
      expect(tally(await burst.statusesAtOnce(200))).to.deep.equal({ 200: 50, 429: 150 });
    });
  });
}
