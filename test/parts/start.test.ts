import { expect } from 'chai';
import { app } from '../../src/app.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import type { Role } from '../../src/workers/role.ts';
import { loaded, ruleset } from '../telemetry/decisions.ts';

const HERE = { HOST: '127.0.0.1', GRPC_HOST: '127.0.0.1', DEBUG_HOST: '127.0.0.1' };
const PORTS = { PORT: '0', GRPC_PORT: '0', DEBUG_PORT: '0' };

/** Resolves when it is told to. */
function signal(): { readonly come: Promise<void>; readonly tell: () => void } {
  let tell = (): void => {};
  const come = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { come, tell };
}

describe('a start', () => {
  it('that ends while weir drains does not make it ready again', async () => {
    const [started, stopped, held] = [signal(), signal(), signal()];
    const set = ruleset(['shop']);
    const role: Role = {
      id: 1,
      isReplacement: false,
      rules: (observer) => ({
        name: 'rules',
        current: () => set,
        async start() {
          observer.rulesLoaded(loaded(set));
          started.tell();
          await stopped.come;
        },
        stop() {
          stopped.tell();
          return held.come;
        },
      }),
      metrics: async () => '',
      reports() {},
      profiles() {},
    };
    const weir = app(readSettings([], { ...HERE, ...PORTS, LOG_LEVEL: 'fatal' }), role);
    const starting = weir.start();
    await started.come;
    const stopping = weir.stop();
    try {
      await starting;
      const ready = await fetch(`http://${weir.addresses().http}/readyz`);
      expect(await ready.json()).to.deep.include({ rules: 'loaded', store: 'reachable', draining: true, ready: false });
      expect((await fetch(`http://${weir.addresses().http}/healthcheck`)).status).to.equal(500);
    } finally {
      held.tell();
      await stopping;
    }
  });
});
