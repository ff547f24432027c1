import { createServer, type Server } from 'node:net';
import { expect } from 'chai';
import { portFinding } from '../../src/doctor/ports.ts';
import { WEIR } from '../support/built.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { ownProcess } from '../support/process.ts';
import { diagnosis, type Ground, ground } from './asking.ts';

describe('weir doctor and ports', () => {
  let place: Ground;
  let held: Server;
  let port: number;

  before(async () => {
    place = await ground();
    port = await freePort();
    held = createServer().listen(port, '127.0.0.1');
    await new Promise((listening) => held.once('listening', listening));
  });

  after(async () => {
    held.close();
    await place.remove();
  });

  it('says that 3 ports are free, and 4 with Prometheus', async () => {
    const { findings } = await diagnosis(place.flags);
    expect(findings.filter(({ name }) => name.startsWith('ports.')).map(({ mark }) => mark)).to.deep.equal([
      'ok',
      'ok',
      'ok',
    ]);
    const free = ['--use-prometheus', '--prometheus-addr', `127.0.0.1:${await freePort()}`];
    expect((await diagnosis([...place.flags, ...free])).named('ports.prometheus')[0]!.mark).to.equal('ok');
  });

  it('asks nothing of a taken port of Prometheus that DISABLE_STATS keeps shut', async () => {
    const taken = ['--use-prometheus', '--prometheus-addr', `127.0.0.1:${port}`];
    const open = await diagnosis([...place.flags, ...taken]);
    expect([open.code, open.named('ports.prometheus')[0]!.mark]).to.deep.equal([1, 'fail']);
    const shut = await diagnosis([...place.flags, ...taken, '--disable-stats']);
    expect([shut.code, shut.named('ports.prometheus')]).to.deep.equal([0, []]);
  });

  for (const [flag, name] of [
    ['--port', 'http'],
    ['--grpc-port', 'grpc'],
    ['--debug-port', 'admin'],
  ] as const) {
    it(`says of the ${name} port that it is taken, and by whom`, async () => {
      const { code, named } = await diagnosis([...place.flags, flag, String(port)]);
      const { mark, says } = named(`ports.${name}`)[0]!;
      expect([code, mark]).to.deep.equal([1, 'fail']);
      expect(says).to.match(
        process.platform === 'linux' ? new RegExp(`taken by .* \\(pid ${process.pid}\\)$`) : /taken/,
      );
    });
  }

  it('says of an address that this host does not have that it does not', async () => {
    const { named } = await diagnosis([...place.flags, '--host', '192.0.2.1']);
    expect(named('ports.http')[0]!.says).to.match(/address that this host does not have$/);
  });

  it('says what each way to fail means', () => {
    const door = { name: 'HTTP', host: '::', port: 80, settings: 'HOST and PORT' };
    expect(portFinding(door, 'EACCES', null)).to.deep.include({
      says: 'the HTTP port [::]:80 may not be opened by this user',
      todo: 'give HOST and PORT a port above 1023',
    });
    expect(portFinding(door, 'EADDRINUSE', null).says).to.match(/is taken by someone else$/);
    expect(portFinding(door, 'EMFILE', null).says).to.match(/can't be opened: EMFILE$/);
    expect(portFinding({ ...door, port: 0 }, null, null).mark).to.equal('ok');
  });

  for (const command of ['serve', 'ratelimit']) {
    it(`finds nothing wrong beside a weir that serves on them, started by ${command}`, async function () {
      if (process.platform !== 'linux') this.skip();
      const env = { ...asEnvironment(place.flags), BACKEND_TYPE: 'memory' };
      const options = { name: 'weir', command: process.execPath, env };
      const served = await ownProcess({ ...options, args: [WEIR, command] });
      try {
        await eventually('weir to serve', () => served.output().includes('serving'));
        const beside = await ownProcess({ ...options, args: [WEIR, 'doctor'] });
        expect((await beside.ended).code, beside.output()).to.equal(0);
        const own = new RegExp(`is served by this weir \\(pid ${served.pid}\\)`, 'g');
        expect(beside.output().match(own)).to.have.length(3);
      } finally {
        await served.stop();
      }
    });
  }
});

/** `--port 80` is PORT=80. */
function asEnvironment(flags: readonly string[]): Readonly<Record<string, string>> {
  const env: Record<string, string> = {};
  for (let i = 0; i < flags.length; i += 2) {
    env[flags[i]!.slice(2).toUpperCase().replaceAll('-', '_')] = flags[i + 1]!;
  }
  return env;
}
