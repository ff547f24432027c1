import { expect } from 'chai';
import { bed, perWindow, tally } from './bed.ts';

const GENERIC = { generic_key: { descriptor_value: 'all' } };
const USER = { request_headers: { header_name: 'x-user', descriptor_key: 'user' } };
const PLAN = { request_headers: { header_name: 'x-plan', descriptor_key: 'plan' } };

const as = (user: string) => ({ headers: { 'x-user': user } });

describe('rules under real traffic', () => {
  const b = bed({ store: 'redis' });

  const nested = b.route('nested', {
    limits: [{ actions: [PLAN, USER] }],
    rules: [
      {
        key: 'plan',
        value: 'free',
        descriptors: [
          { key: 'user', rate_limit: perWindow(1) },
          { key: 'user', value: 'vip', rate_limit: perWindow(3) },
        ],
      },
      { key: 'plan', descriptors: [{ key: 'user', rate_limit: perWindow(2) }] },
    ],
  });
  it('takes the rule of the exact value over the one of the bare key, on both levels', async () => {
    const by = (plan: string, user: string, count: number) =>
      nested.statuses(count, { headers: { 'x-plan': plan, 'x-user': user } });
    expect(await by('free', 'ann', 2)).to.deep.equal([200, 429]);
    expect(await by('free', 'vip', 4)).to.deep.equal([200, 200, 200, 429]);
    expect(await by('paid', 'ann', 3)).to.deep.equal([200, 200, 429]);
  });

  const wildcard = b.route('wildcard', {
    limits: [{ actions: [USER] }],
    rules: [
      { key: 'user', value: 'bot-*', share_threshold: true, rate_limit: perWindow(2) },
      { key: 'user', value: 'team-*', rate_limit: perWindow(2) },
    ],
  });
  it('shares one counter of a wildcard with share_threshold, and none without', async () => {
    expect([...(await wildcard.statuses(2, as('bot-1'))), ...(await wildcard.statuses(1, as('bot-2')))]).to.deep.equal([
      200, 200, 429,
    ]);
    expect([
      ...(await wildcard.statuses(2, as('team-1'))),
      ...(await wildcard.statuses(3, as('team-2'))),
    ]).to.deep.equal([200, 200, 200, 200, 429]);
  });

  const shadow = b.route('shadow', {
    limits: [{ actions: [USER] }],
    rules: [{ key: 'user', shadow_mode: true, rate_limit: perWindow(1) }],
  });
  it('lets everything pass a rule in shadow mode, and counts and tells its limit', async () => {
    expect(await shadow.statuses(3, as('ann'))).to.deep.equal([200, 200, 200]);
    expect(await b.counter('shadow_user_ann')).to.equal(3);
    const { headers } = await shadow.get(as('ann'));
    expect(headers['x-ratelimit-remaining']).to.equal('0');
    expect(headers['retry-after']).to.equal(undefined);
  });

  const mixed = b.route('mixed', {
    limits: [{ actions: [GENERIC] }, { actions: [USER] }],
    rules: [
      { key: 'generic_key', value: 'all', shadow_mode: true, rate_limit: perWindow(1) },
      { key: 'user', rate_limit: perWindow(3) },
    ],
  });
  it('enforces a limit of 3 beside a shadow rule of 1', async () => {
    expect(await mixed.statuses(4, as('ann'))).to.deep.equal([200, 200, 200, 429]);
  });

  const unlimited = b.route('unlimited', {
    limits: [{ actions: [USER] }],
    rules: [
      { key: 'user', rate_limit: perWindow(2) },
      { key: 'user', value: 'vip', rate_limit: { unlimited: true } },
      { key: 'user', value: 'listed' },
    ],
  });
  it('never refuses, counts or tells headers to an unlimited user and a whitelisted one', async () => {
    for (const user of ['vip', 'listed']) {
      expect(await unlimited.statuses(5, as(user))).to.deep.equal([200, 200, 200, 200, 200]);
      expect((await unlimited.get(as(user))).headers).not.to.have.property('x-ratelimit-limit');
      expect(await b.counter(`unlimited_user_${user}`)).to.equal(undefined);
    }
    expect(await unlimited.statuses(3, as('ann'))).to.deep.equal([200, 200, 429]);
  });

  const quota = b.route('quota', {
    limits: [{ actions: [GENERIC] }, { actions: [USER] }],
    rules: [
      { key: 'generic_key', value: 'all', quota_mode: true, rate_limit: perWindow(1) },
      { key: 'user', quota_mode: true, rate_limit: perWindow(3) },
    ],
  });
  it('refuses only when both quotas, of 1 and of 3, are spent @newer', async () => {
    expect(await quota.statuses(4, as('ann'))).to.deep.equal([200, 200, 200, 429]);
  });

  const replaces = b.route('replaces', {
    limits: [{ actions: [GENERIC] }, { actions: [USER] }],
    rules: [
      { key: 'generic_key', value: 'all', rate_limit: perWindow(1, { name: 'base' }) },
      { key: 'user', value: 'vip', rate_limit: perWindow(3, { replaces: [{ name: 'base' }] }) },
    ],
  });
  it('puts a limit of 3 in the place of the base limit of 1, whose counter stays untouched', async () => {
    expect(await replaces.statuses(4, as('vip'))).to.deep.equal([200, 200, 200, 429]);
    expect(await replaces.statuses(2, as('ann'))).to.deep.equal([200, 429]);
  });

  const closed = b.route('closed', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(0) }],
  });
  it('refuses the first request of a limit of 0', async () => {
    expect(await closed.statuses(2)).to.deep.equal([429, 429]);
  });

  const burst = b.route('burst', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(50) }],
  });
  it('lets exactly 50 of 200 concurrent requests pass a limit of 50', async () => {
    expect(tally(await burst.statusesAtOnce(200))).to.deep.equal({ 200: 50, 429: 150 });
    expect(await b.counter('burst_generic_key_all')).to.equal(200);
  });
});

describe('connections through the TCP filter', () => {
  const b = bed({ store: 'redis' });
  const line = b.tcpRoute('tcp', {
    descriptor: { entries: [{ key: 'port', value: 'db' }] },
    rules: [{ key: 'port', value: 'db', rate_limit: perWindow(2) }],
  });

  it('serves 2 connections of a limit of 2 and closes the 3rd without a byte', async () => {
    expect([await line.connect(), await line.connect(), await line.connect()]).to.deep.equal([
      'echoed',
      'echoed',
      'closed',
    ]);
    expect(b.tcpUpstream().accepted()).to.equal(2);
    expect(await b.envoy().stat('ratelimit.tcp.over_limit')).to.equal(1);
    expect(await b.envoy().stat('ratelimit.tcp.cx_closed')).to.equal(1);
  });
});
