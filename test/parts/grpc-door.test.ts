import { expect } from 'chai';
import { tellTls } from '../../src/grpc-door.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { log } from '../../src/telemetry/log.ts';

/** What is warned of at the start of a service without TLS. */
async function warnings(env: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const lines: string[] = [];
  const told = log({ level: 'warn', format: 'json', destination: { write: (line) => lines.push(line) } });
  tellTls(readSettings([], env).settings, undefined, told);
  await told.close();
  return lines.map((line) => JSON.parse(line).msg);
}

describe('the gRPC port in plain text', () => {
  const CA = { GRPC_CLIENT_TLS_CACERT: '/ca.crt' };
  const SAN = { GRPC_CLIENT_TLS_SAN: 'envoy.test' };

  it('warns of each setting that would keep clients out, by its name', async () => {
    const because = (name: string) =>
      `gRPC is plain text and lets in every client: ${name} is set, and GRPC_SERVER_USE_TLS is not true`;
    const [ca, san] = ['GRPC_CLIENT_TLS_CACERT', 'GRPC_CLIENT_TLS_SAN'].map(because);
    expect(await warnings({ ...CA, ...SAN })).to.deep.equal([ca, san]);
    expect(await warnings(CA)).to.deep.equal([ca]);
    expect(await warnings(SAN)).to.deep.equal([san]);
  });

  it('warns of nothing where neither is set', async () => {
    expect(await warnings({})).to.deep.equal([]);
  });
});
