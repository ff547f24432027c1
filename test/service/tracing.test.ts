import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type Service, service } from '../support/service.ts';
import { caller, one } from './caller.ts';
import { closers } from './closers.ts';
import { metric } from './page.ts';

const RULES = {
  'shop.yaml': { domain: 'shop', descriptors: [{ key: 'user', rate_limit: { unit: 'hour', requests_per_unit: 3 } }] },
};
/** Writes down at the end which files of packages were loaded. */
const WITNESS = `
process.on('exit', () => {
  const loaded = Object.keys(require.cache).filter((path) => path.includes('node_modules'));
  require('node:fs').writeFileSync(process.env.WITNESS, JSON.stringify(loaded));
});`;

describe('a service', () => {
  const opened = closers();
  let dir: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weir-tracing-'));
    opened(dir, () => rm(dir, { recursive: true }));
    await writeFile(join(dir, 'witness.cjs'), WITNESS);
  });

  async function started(env: Readonly<Record<string, string>>) {
    const weir: Service = await service({
      rules: RULES,
      env: { ...env, NODE_OPTIONS: `--require=${join(dir, 'witness.cjs')}`, WITNESS: join(dir, 'loaded.json') },
    });
    opened(weir, weir.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    return { weir, client };
  }

  for (const [what, env, loads] of [
    ['TRACING_ENABLED at its default', {}, false],
    ['TRACING_SAMPLING_RATE=0', { TRACING_ENABLED: 'true', TRACING_SAMPLING_RATE: '0' }, false],
    ['TRACING_ENABLED=true', { TRACING_ENABLED: 'true' }, true],
  ] as const) {
    it(`loads ${loads ? '' : 'nothing of '}the OpenTelemetry SDK with ${what}`, async () => {
      const { weir, client } = await started(env);
      for (let i = 0; i < 3; i++) expect(await client.ask(one('shop', 'user', what))).to.equal('OK');
      expect(await weir.stop()).to.deep.equal({ code: 0, signal: null });
      const loaded: string[] = JSON.parse(await readFile(join(dir, 'loaded.json'), 'utf8'));
      expect(loaded.some((path) => path.includes('/@grpc/grpc-js/'))).to.equal(true);
      // prom-client has the API of OpenTelemetry, without what stands behind it.
      const sdk = loaded.filter((path) => /\/@opentelemetry\/(?!api\/)/.test(path));
      expect(sdk.length > 0, sdk.join()).to.equal(loads);
    });
  }

  for (const protocol of ['http', 'grpc'] as const) {
    it(`answers 300 calls and stops at once when nobody listens where spans go by ${protocol}`, async () => {
      const { weir, client } = await started({
        TRACING_ENABLED: 'true',
        TRACING_EXPORTER_PROTOCOL: protocol,
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
        OTEL_EXPORTER_OTLP_TIMEOUT: '100',
      });
      const asked = Array.from({ length: 300 }, (_, i) => client.ask(one('shop', 'user', String(i))));
      expect(new Set(await Promise.all(asked))).to.deep.equal(new Set(['OK']));
      const lost = 'weir_trace_spans_total{result="failed"}';
      await eventually('them to be lost', async () => (await metric(weir.adminPort, lost)) === 300);
      expect(weir.process().output()).to.match(/spans were lost/);
      expect(await weir.stop()).to.deep.equal({ code: 0, signal: null });
    });

    it(`answers 300 calls and stops within its time when who listens by ${protocol} never says a word`, async () => {
      const silent = createServer(() => {});
      await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
      opened(silent, () => silent.close());
      const { port } = silent.address() as { port: number };
      const { weir, client } = await started({
        TRACING_ENABLED: 'true',
        TRACING_EXPORTER_PROTOCOL: protocol,
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      });
      const asked = Array.from({ length: 300 }, (_, i) => client.ask(one('shop', 'user', String(i))));
      expect(new Set(await Promise.all(asked))).to.deep.equal(new Set(['OK']));
      // SIGKILL would follow after 5 s.
      expect(await weir.stop()).to.deep.equal({ code: 0, signal: null });
    });
  }
});
