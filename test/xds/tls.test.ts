import { expect } from 'chai';
import type { ControlPlaneTls } from '../../src/xds/control-plane.ts';
import { orSkip } from '../foreign/toolchain.ts';
import { closers } from '../service/closers.ts';
import { type Certificates, certificates } from '../support/certificates.ts';
import { type ControlPlane, controlPlane, controlPlaneProgram, NODE } from './control-plane.ts';
import { startedSource } from './started-source.ts';

describe('rules over xDS by TLS, from a server that asks for a certificate (needs go)', function () {
  this.timeout(300_000);
  const opened = closers();
  let ours: Certificates;
  let others: Certificates;
  let plane: ControlPlane;
  let good: ControlPlaneTls;

  before(async function () {
    const binary = await orSkip(this, controlPlaneProgram);
    [ours, others] = await Promise.all([certificates(), certificates()]);
    opened(ours, ours.remove);
    opened(others, others.remove);
    plane = await controlPlane(binary, { ...(await ours.sign('DNS:plane.test')), ca: ours.ca });
    opened(plane, plane.close);
    await plane.set('one', { name: 'd', domain: 'd', descriptors: [{ key: 'k' }] });
    good = { ca: ours.ca, ...(await ours.sign('DNS:weir.test')), san: 'plane.test' };
  });

  /** The domains that came, or why the first stream ended. */
  async function outcomeOf(tls: ControlPlaneTls): Promise<readonly string[] | string> {
    const node = { id: NODE, metadata: {} };
    const { loader, losses } = await startedSource(plane.address, { tls, node });
    const ruleset = loader.current();
    await loader.stop();
    return ruleset === null ? (losses[0] ?? 'nothing came') : [...ruleset.domains.keys()];
  }

  it('come when both sides show what the other trusts, and the name is the SAN that was set', async () => {
    expect(await outcomeOf(good)).to.deep.equal(['d']);
  });

  it('do not come from a server with another name: 127.0.0.1 when no SAN is set, or a SAN it has not', async () => {
    expect(await outcomeOf({ ...good, san: null })).to.match(/^UNAVAILABLE: .*127\.0\.0\.1/);
    expect(await outcomeOf({ ...good, san: 'other.test' })).to.match(/^UNAVAILABLE: .*other\.test/);
  });

  it('do not come from a server whose authority is not the one that was set, or none of the system', async () => {
    expect(await outcomeOf({ ...good, ca: others.ca })).to.match(/^UNAVAILABLE: .*(self-signed|unable to)/);
    expect(await outcomeOf({ ...good, ca: null })).to.match(/^UNAVAILABLE: .*(self-signed|unable to)/);
  });

  it('do not come without a certificate of our own, or with one of another authority', async () => {
    expect(await outcomeOf({ ...good, cert: null, key: null })).to.match(/^UNAVAILABLE: /);
    expect(await outcomeOf({ ...good, ...(await others.sign('DNS:weir.test')) })).to.match(/^UNAVAILABLE: /);
  });
});
