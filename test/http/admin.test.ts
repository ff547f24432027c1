import { expect } from 'chai';
import { limit } from '../../src/core/limit.ts';
import type { Problem } from '../../src/core/ports.ts';
import { admin } from '../../src/http/admin.ts';
import { expositionHandler } from '../../src/http/exposition-handler.ts';
import { type RulesHistory, rulesHistory } from '../../src/http/rules-history.ts';
import { type HttpServer, httpServer } from '../../src/http/server.ts';
import { rule } from '../support/rule.ts';
import { loaded, ruleset } from '../telemetry/decisions.ts';
import { fetchFrom } from './client.ts';

const PROBLEM: Problem = { file: 'a.yaml', line: 3, column: 5, message: 'bad', hint: 'good', source: 'x: y' };
const RULES = [
  rule('shop.a', {
    limits: [limit({ requestsPerUnit: 4, unit: 'week' }, { shadowMode: true })],
    shadowMode: true,
  }),
  rule('shop.free', { limits: [], unlimited: true, quotaMode: true }),
  rule('shop.none', { limits: [] }),
  rule('shop.w_x*.c_d e', { limits: [limit({ requestsPerUnit: 0, unit: 'year' })] }),
];

describe('admin port', () => {
  let server: HttpServer;
  let rules: RulesHistory;
  let nowUs: number;
  let scrapes: number;

  beforeEach(async () => {
    nowUs = 1_700_000_000_000_000;
    scrapes = 0;
    rules = rulesHistory({ nowUs: () => nowUs });
    const metrics = {
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      async metrics() {
        scrapes++;
        return '# TYPE a counter\na{b="c d"} 1\n\n# TYPE e gauge\ne 2.5\n';
      },
    };
    const { routes, fallback } = admin({ rules, metrics, format: ({ file, line }) => `${file}:${line} formatted` });
    server = httpServer({ name: 'admin', host: '127.0.0.1', port: 0, routes, fallback });
    await server.start();
  });
  afterEach(() => server.stop());

  const get = (path: string) => fetchFrom(server, path);
  const json = async (path: string) => JSON.parse((await get(path)).text);

  it('lists the five endpoints of the Go service at / and at any unknown path, and its own in a header', async () => {
    for (const path of ['/', '/nowhere', '/rules/', '/rlconfigs']) {
      const { status, text, headers } = await get(path);
      expect(status, path).to.equal(200);
      expect(
        text
          .split('\n')
          .filter(Boolean)
          .map((line) => line.split(':')[0]),
      ).to.deep.equal(['/debug/pprof/', '/debug/pprof/profile', '/debug/pprof/trace', '/rlconfig', '/stats']);
      expect(headers.link).to.include('</rules>').and.include('</metrics>');
    }
  });

  it('prints a line per rule with a limit, and none before any rules came', async () => {
    expect(await get('/rlconfig')).to.include({ status: 200, text: '' });
    rules.rulesLoaded(loaded(ruleset(['shop'], RULES)));
    expect((await get('/rlconfig')).text).to.equal(
      [
        'shop.a: unit=WEEK requests_per_unit=4, shadow_mode: true, quota_mode: false',
        'shop.free: unit=UNKNOWN requests_per_unit=0, shadow_mode: false, quota_mode: true',
        'shop.w_x*.c_d e: unit=YEAR requests_per_unit=0, shadow_mode: false, quota_mode: false',
        '',
      ].join('\n'),
    );
  });

  it('prints a line for each limit of a rule with several', async () => {
    const limits = [
      limit({ requestsPerUnit: 10, unit: 'second', algorithm: 'token_bucket', burst: 30 }, { series: '@second' }),
      limit({ requestsPerUnit: 900, unit: 'day' }, { series: '@trial', shadowMode: true }),
    ];
    rules.rulesLoaded(loaded(ruleset(['shop'], [rule('shop.b', { limits, quotaMode: true })])));
    expect((await get('/rlconfig')).text).to.equal(
      [
        'shop.b@second: unit=SECOND requests_per_unit=10, shadow_mode: false, quota_mode: true',
        'shop.b@trial: unit=DAY requests_per_unit=900, shadow_mode: true, quota_mode: true',
        '',
      ].join('\n'),
    );
  });

  it('tells at /rules that nothing came yet', async () => {
    expect(await json('/rules')).to.deep.equal({ state: 'waiting', live: null, refused: null });
  });

  it('tells at /rules which set is live and since when', async () => {
    rules.rulesLoaded(loaded(ruleset(['shop', 'edge'], RULES, 7), 2));
    expect(await json('/rules')).to.deep.equal({
      state: 'loaded',
      live: {
        generation: 7,
        since: '2023-11-14T22:13:20.000Z',
        files: 2,
        rules: 4,
        domainCount: 2,
        domains: ['shop', 'edge'],
      },
      refused: null,
    });
  });

  it('tells at /rules the problems of a set that was refused, beside the one that stays', async () => {
    rules.rulesLoaded(loaded(ruleset(['shop'], RULES)));
    nowUs += 1_000_000;
    rules.rulesLoaded({ ok: false, files: 1, problems: [PROBLEM] });
    const { state, live, refused } = await json('/rules');
    expect([state, live.generation]).to.deep.equal(['loaded', 1]);
    expect(refused).to.deep.equal({
      at: '2023-11-14T22:13:21.000Z',
      files: 1,
      problemCount: 1,
      problems: [{ ...PROBLEM, text: 'a.yaml:3 formatted' }],
    });
    rules.rulesLoaded(loaded(ruleset(['shop'], RULES, 2)));
    expect((await json('/rules')).refused).to.equal(null);
  });

  it('lists at most 1000 domains and problems, and counts them all', async () => {
    rules.rulesLoaded(loaded(ruleset(Array.from({ length: 1500 }, (_, i) => `d${i}`))));
    rules.rulesLoaded({ ok: false, files: 1, problems: Array(1500).fill(PROBLEM) });
    const { live, refused } = await json('/rules');
    expect([live.domainCount, live.domains.length]).to.deep.equal([1500, 1000]);
    expect([refused.problemCount, refused.problems.length]).to.deep.equal([1500, 1000]);
  });

  it('serves the exposition at /metrics with its content type, and as JSON at /stats', async () => {
    const { headers, text } = await get('/metrics');
    expect(headers['content-type']).to.equal('text/plain; version=0.0.4; charset=utf-8');
    expect(text).to.match(/^# TYPE a counter\n/);
    expect(await json('/stats')).to.deep.equal({ 'a{b="c d"}': 1, e: 2.5 });
  });

  it('says where the pprof pages would be that this is no Go process', async () => {
    expect(await get('/debug/pprof/')).to.include({ status: 200 });
    expect((await get('/debug/pprof/')).text).to.include('/rules');
    expect(await get('/debug/pprof/profile')).to.include({ status: 501 });
    expect(await get('/debug/pprof/trace')).to.include({ status: 501 });
  });

  it('shares one scrape among 50 that come at once', async () => {
    let made = 0;
    const handler = expositionHandler({
      contentType: 'text/plain',
      metrics: () => new Promise((done) => setImmediate(() => done(`scrape ${++made}`))),
    });
    const caller = { deadlineMs: null, cancelled: false };
    const ask = () => handler({ method: 'GET', path: '/metrics', body: Buffer.alloc(0), caller });
    const replies = await Promise.all(Array.from({ length: 50 }, ask));
    expect(new Set(replies.map(({ body }) => body))).to.deep.equal(new Set(['scrape 1']));
    expect((await ask()).body).to.equal('scrape 2');
    expect(scrapes).to.equal(0);
  });
});
