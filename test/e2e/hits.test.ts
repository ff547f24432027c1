import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { bed, perWindow } from './bed.ts';
import { OVERRIDE_NAMESPACE } from './envoy-config.ts';

const REMAINING = 'x-ratelimit-remaining';

const action = (value: string) => [{ generic_key: { descriptor_value: value } }];
const rule = (value: string, requests: number) => ({ key: 'generic_key', value, rate_limit: perWindow(requests) });

describe('hits and limits that travel in the request', () => {
  const b = bed({ store: 'redis' });

  const byNumber = b.route('by-number', {
    limits: [{ actions: action('a'), hits_addend: { number: 3 } }],
    rules: [rule('a', 7)],
  });
  it('charges hits_addend 3 per request: 2 requests pass a limit of 7, the 3rd does not', async () => {
    expect(await byNumber.statuses(3)).to.deep.equal([200, 200, 429]);
    expect(await b.counter('by-number_generic_key_a')).to.equal(9);
  });

  const charge = b.route('charge', { limits: [{ actions: action('a') }], rules: [rule('a', 3)] });
  const peek = b.route('peek', {
    limits: [{ actions: action('a'), hits_addend: { number: 0 } }],
    domain: 'charge',
  });
  it('only looks when hits_addend is 0, before the limit is reached and after it', async () => {
    expect(await peek.statuses(5)).to.deep.equal([200, 200, 200, 200, 200]);
    expect(await charge.statuses(3)).to.deep.equal([200, 200, 200]);
    const full = await peek.get();
    expect([full.status, full.headers[REMAINING]]).to.deep.equal([200, '0']);
    expect(await charge.statuses(1)).to.deep.equal([429]);
    expect(await peek.statuses(2)).to.deep.equal([429, 429]);
    expect(await b.counter('charge_generic_key_a')).to.equal(4);
  });

  const byHeader = b.route('by-header', {
    limits: [{ actions: action('a'), hits_addend: { format: '%REQ(x-cost)%' } }],
    rules: [rule('a', 10)],
  });
  it('charges what a request header says: 4 + 5 leaves 1 of 10, and 2 more are refused', async () => {
    const remaining = async (cost: string) => (await byHeader.get({ headers: { 'x-cost': cost } })).headers[REMAINING];
    expect([await remaining('4'), await remaining('5')]).to.deep.equal(['6', '1']);
    expect((await byHeader.get({ headers: { 'x-cost': '2' } })).status).to.equal(429);
  });

  const debited = b.route('debited', {
    limits: [
      { actions: action('tokens'), hits_addend: { number: 0 } },
      { actions: action('tokens'), hits_addend: { format: '%RESP(x-tokens)%' }, apply_on_stream_done: true },
    ],
    rules: [rule('tokens', 10)],
  });
  const balance = b.route('balance', {
    limits: [{ actions: action('tokens'), hits_addend: { number: 0 } }],
    domain: 'debited',
  });
  it('debits on stream done what the application answered, and refuses once 12 of 10 are spent', async () => {
    const spent: (string | undefined)[] = [];
    for (const left of ['6', '2', '0']) {
      expect((await debited.get({ headers: { 'x-answer-x-tokens': '4' } })).status).to.equal(200);
      // The debit is a call of its own, sent after the response; nobody tells when it has arrived.
      spent.push(
        await eventually(`${left} left`, async () => {
          const seen = (await balance.get()).headers[REMAINING];
          return seen === left ? left : undefined;
        }),
      );
    }
    expect(spent).to.deep.equal(['6', '2', '0']);
    expect((await debited.get({ headers: { 'x-answer-x-tokens': '4' } })).status).to.equal(429);
  });

  const reserve = b.route('reserve', {
    limits: [{ actions: action('a'), hits_addend: { number: 3 } }],
    rules: [rule('a', 5)],
  });
  const refund = b.route('refund', {
    limits: [{ actions: action('a'), hits_addend: { number: 2, is_negative_hits: true } }],
    domain: 'reserve',
  });
  it('gives 2 of 3 hits back, so that 3 more fit into 5 but not 6 @weir', async () => {
    expect((await reserve.get()).headers[REMAINING]).to.equal('2');
    const back = await refund.get();
    expect([back.status, back.headers[REMAINING]]).to.deep.equal([200, '4']);
    expect(await reserve.statuses(2)).to.deep.equal([200, 429]);
  });

  const early = b.route('early', {
    limits: [{ actions: action('a'), hits_addend: { number: 9, is_negative_hits: true } }],
    rules: [rule('a', 5)],
  });
  it('gives nothing back below zero and makes no counter for it @weir', async () => {
    const answer = await early.get();
    expect([answer.status, answer.headers[REMAINING]]).to.deep.equal([200, '5']);
    expect(await b.counter('early_generic_key_a')).to.equal(undefined);
  });

  const override = b.route('override', {
    limits: [
      {
        actions: action('a'),
        limit: { dynamic_metadata: { metadata_key: { key: OVERRIDE_NAMESPACE, path: [{ key: 'limit' }] } } },
      },
    ],
    rules: [rule('a', 1)],
  });
  it('takes a limit of 3 from dynamic metadata over the 1 of the rules', async () => {
    expect(await override.statuses(4)).to.deep.equal([200, 200, 200, 429]);
  });
});
