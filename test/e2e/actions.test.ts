import { expect } from 'chai';
import { bed, perWindow, type Route } from './bed.ts';

const ALLOWED_TWICE = [200, 200, 429];

describe('descriptors that a real Envoy makes of a request', () => {
  const b = bed({ store: 'redis' });
  /** A route whose one action makes one descriptor, which may pass twice. */
  const twice = (name: string, action: object, key: string, value?: string): Route =>
    b.route(name, {
      limits: [{ actions: [action] }],
      rules: [{ key, ...(value === undefined ? {} : { value }), rate_limit: perWindow(2) }],
    });

  const genericKey = twice('generic-key', { generic_key: { descriptor_value: 'gk' } }, 'generic_key', 'gk');
  it('refuses the 3rd request of a generic_key limited to 2', async () => {
    expect(await genericKey.statuses(3)).to.deep.equal(ALLOWED_TWICE);
  });

  const named = twice('named', { generic_key: { descriptor_key: 'my', descriptor_value: 'v' } }, 'my', 'v');
  it('refuses the 3rd request of a generic_key that has a key of its own', async () => {
    expect(await named.statuses(3)).to.deep.equal(ALLOWED_TWICE);
  });

  const remote = twice('remote-address', { remote_address: {} }, 'remote_address');
  it('gives each of two remote addresses 2 requests of its own', async () => {
    expect(await remote.statuses(3, { headers: { 'x-forwarded-for': '10.9.8.7' } })).to.deep.equal(ALLOWED_TWICE);
    expect(await remote.statuses(3, { headers: { 'x-forwarded-for': '10.9.8.8' } })).to.deep.equal(ALLOWED_TWICE);
  });

  const oneAddress = twice('one-address', { remote_address: {} }, 'remote_address', '10.1.1.1');
  it('limits the one remote address a rule names, and no other', async () => {
    expect(await oneAddress.statuses(3, { headers: { 'x-forwarded-for': '10.1.1.1' } })).to.deep.equal(ALLOWED_TWICE);
    expect(await oneAddress.statuses(3, { headers: { 'x-forwarded-for': '10.1.1.2' } })).to.deep.equal([200, 200, 200]);
  });

  const masked = twice(
    'masked',
    { masked_remote_address: { v4_prefix_mask_len: 24, v6_prefix_mask_len: 64 } },
    'masked_remote_address',
  );
  it('counts the addresses of one /24, and of one IPv6 /64, together', async () => {
    const from = async (address: string) => (await masked.get({ headers: { 'x-forwarded-for': address } })).status;
    expect([await from('10.5.5.1'), await from('10.5.5.2'), await from('10.5.5.3')]).to.deep.equal(ALLOWED_TWICE);
    expect(await from('10.5.6.1')).to.equal(200);
    expect([await from('2001:db8::1'), await from('2001:db8::2'), await from('2001:db8::3')]).to.deep.equal(
      ALLOWED_TWICE,
    );
  });

  const header = twice('header', { request_headers: { header_name: 'x-user', descriptor_key: 'user' } }, 'user');
  it('counts each value of a request header alone, and sends nothing without the header', async () => {
    expect(await header.statuses(3, { headers: { 'x-user': 'ann' } })).to.deep.equal(ALLOWED_TWICE);
    expect(await header.statuses(3, { headers: { 'x-user': 'bob' } })).to.deep.equal(ALLOWED_TWICE);
    expect(await header.statuses(3)).to.deep.equal([200, 200, 200]);
  });

  const headerMatch = twice(
    'header-match',
    {
      header_value_match: {
        descriptor_value: 'writes',
        headers: [{ name: 'x-kind', string_match: { exact: 'write' } }],
      },
    },
    'header_match',
    'writes',
  );
  it('limits requests whose header matches header_value_match', async () => {
    expect(await headerMatch.statuses(3, { headers: { 'x-kind': 'read' } })).to.deep.equal([200, 200, 200]);
    expect(await headerMatch.statuses(3, { headers: { 'x-kind': 'write' } })).to.deep.equal(ALLOWED_TWICE);
  });

  const query = twice(
    'query',
    { query_parameters: { query_parameter_name: 'tenant', descriptor_key: 'tenant' } },
    'tenant',
  );
  it('counts each value of a query parameter alone', async () => {
    expect(await query.statuses(3, { query: '?tenant=a' })).to.deep.equal(ALLOWED_TWICE);
    expect(await query.statuses(3, { query: '?tenant=b' })).to.deep.equal(ALLOWED_TWICE);
  });

  const queryMatch = twice(
    'query-match',
    {
      query_parameter_value_match: {
        descriptor_value: 'exports',
        query_parameters: [{ name: 'export', string_match: { exact: 'yes' } }],
      },
    },
    'query_match',
    'exports',
  );
  it('limits requests whose query matches query_parameter_value_match', async () => {
    expect(await queryMatch.statuses(3, { query: '?export=no' })).to.deep.equal([200, 200, 200]);
    expect(await queryMatch.statuses(3, { query: '?export=yes' })).to.deep.equal(ALLOWED_TWICE);
  });

  const destination = twice('destination', { destination_cluster: {} }, 'destination_cluster', 'app');
  it('limits by the destination cluster', async () => {
    expect(await destination.statuses(3)).to.deep.equal(ALLOWED_TWICE);
  });

  const two = b.route('two-actions', {
    limits: [
      {
        actions: [
          { generic_key: { descriptor_value: 'login' } },
          { request_headers: { header_name: 'x-user', descriptor_key: 'user' } },
        ],
      },
    ],
    rules: [{ key: 'generic_key', value: 'login', descriptors: [{ key: 'user', rate_limit: perWindow(2) }] }],
  });
  it('matches nested rules with the entries of two actions', async () => {
    expect(await two.statuses(3, { headers: { 'x-user': 'ann' } })).to.deep.equal(ALLOWED_TWICE);
    expect(await two.statuses(3, { headers: { 'x-user': 'bob' } })).to.deep.equal(ALLOWED_TWICE);
  });

  const several = b.route('two-descriptors', {
    limits: [
      { actions: [{ generic_key: { descriptor_value: 'all' } }] },
      { actions: [{ request_headers: { header_name: 'x-user', descriptor_key: 'user' } }] },
    ],
    rules: [
      { key: 'generic_key', value: 'all', rate_limit: perWindow(3) },
      { key: 'user', rate_limit: perWindow(2) },
    ],
  });
  it('refuses a request when either of its two descriptors is over its limit', async () => {
    expect(await several.statuses(2, { headers: { 'x-user': 'ann' } })).to.deep.equal([200, 200]);
    expect(await several.statuses(2, { headers: { 'x-user': 'bob' } })).to.deep.equal([200, 429]);
  });

  // Envoy puts the bytes of the header into the protobuf string as they are.
  const bytes = twice('bytes', { request_headers: { header_name: 'x-user', descriptor_key: 'user' } }, 'user');
  it('counts a header value that is not UTF-8 like any other, byte for byte @weir', async () => {
    expect(await bytes.statuses(3, { headers: { 'x-user': 'a\xff\xfeb' } })).to.deep.equal(ALLOWED_TWICE);
    expect(await bytes.statuses(3, { headers: { 'x-user': 'a\xfe\xfeb' } })).to.deep.equal(ALLOWED_TWICE);
  });

  const large = twice('large', { request_headers: { header_name: 'x-user', descriptor_key: 'user' } }, 'user');
  it('counts a header value of 40,000 bytes by its whole length', async () => {
    const value = 'v'.repeat(40_000);
    expect(await large.statuses(3, { headers: { 'x-user': `${value}1` } })).to.deep.equal(ALLOWED_TWICE);
    expect(await large.statuses(3, { headers: { 'x-user': `${value}2` } })).to.deep.equal(ALLOWED_TWICE);
  });
});
