import { expect } from 'chai';
import { ruleLabels, sanitised, tagLabels, unmappedName } from '../../src/telemetry/labels.ts';

describe('labels of a metric key', () => {
  it('puts the domain and the first level into domain and key1', () => {
    expect(ruleLabels('shop.user_ann')).to.deep.equal({ domain: 'shop', key1: 'user_ann' });
  });

  it('puts the second level into key2 and drops the third', () => {
    expect(ruleLabels('shop.one.two.three')).to.deep.equal({ domain: 'shop', key1: 'one', key2: 'two' });
  });

  it('splits a domain and a value at their own dots', () => {
    expect(ruleLabels('h08.metric:names.v_1.2.3')).to.deep.equal({ domain: 'h08', key1: 'metric_names', key2: 'v_1' });
  });

  it('keeps an IPv4 address whole, with underscores', () => {
    expect(sanitised('d.masked_192.168.0.0/16')).to.equal('d.masked_192_168_0_0/16');
    expect(sanitised('d.v_1.2.3')).to.equal('d.v_1.2.3');
  });

  it('turns colons and bars into underscores', () => {
    expect(sanitised('d.a:b|c')).to.equal('d.a_b_c');
  });

  it('keeps key1 when it is empty, and leaves key2 out when it is', () => {
    expect(ruleLabels('d.')).to.deep.equal({ domain: 'd', key1: '' });
    expect(ruleLabels('d.k.')).to.deep.equal({ domain: 'd', key1: 'k' });
  });

  it('replaces the lone surrogate of an invalid byte', () => {
    expect(ruleLabels('d.k_\udcff')).to.deep.equal({ domain: 'd', key1: 'k_\ufffd' });
  });

  it('puts exported_ before a tag whose name Prometheus keeps for itself, which would cost the whole page', () => {
    expect(tagLabels({ le: 'a', quantile: 'b', __name__: 'c', 'my-zone': 'd', '1st': 'e', lease: 'f' })).to.deep.equal({
      exported_le: 'a',
      exported_quantile: 'b',
      exported___name__: 'c',
      my_zone: 'd',
      _1st: 'e',
      lease: 'f',
    });
  });

  it('makes a name of the whole key where the statsd mapping has no labels', () => {
    const name = unmappedName('h10-local-cache-gauges.k', 'over_limit_with_local_cache');
    expect(name).to.equal('ratelimit_service_rate_limit_h10_local_cache_gauges_k_over_limit_with_local_cache');
  });
});
