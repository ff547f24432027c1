import { request } from 'node:http';
import { parseArgs } from 'node:util';
import type { Out } from './check.ts';

export const HEALTH_HELP = `weir health                      ask a running weir for /healthcheck, as a container's health check does

  --address HOST:PORT               its HTTP port [127.0.0.1:8080, or the port in PORT]
  --timeout-ms N                    how long to wait [1500]

Exit code: 0 healthy, 1 not, or no answer, 2 it was called wrongly.
`;

const DEFAULT_PORT = 8080;
const DEFAULT_TIMEOUT_MS = 1_500;

export async function health(args: readonly string[], err: Out = process.stderr): Promise<number> {
  let address: string;
  let timeoutMs: number;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { address: { type: 'string' }, 'timeout-ms': { type: 'string' } },
    });
    address = values.address ?? `127.0.0.1:${process.env.PORT || DEFAULT_PORT}`;
    timeoutMs = Number(values['timeout-ms'] ?? DEFAULT_TIMEOUT_MS);
    if (!URL.canParse(`http://${address}`)) throw new Error(`${JSON.stringify(address)} is no host:port`);
    if (!(timeoutMs >= 1 && timeoutMs <= 60_000)) throw new Error('--timeout-ms takes a number from 1 to 60000');
  } catch (error) {
    err.write(`weir health: ${(error as Error).message}\n`);
    return 2;
  }
  try {
    const status = await statusOf(`http://${address}/healthcheck`, timeoutMs);
    if (status === 200) return 0;
    err.write(`weir health: ${address} answered ${status}\n`);
  } catch (error) {
    err.write(`weir health: ${address}: ${(error as Error).message}\n`);
  }
  return 1;
}

function statusOf(url: string, timeoutMs: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    const timer = setTimeout(() => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    asked.on('error', reject);
    asked.on('close', () => clearTimeout(timer));
    asked.end();
  });
}
