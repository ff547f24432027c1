import * as http from 'node:http';
import * as https from 'node:https';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type Collector, type Wire, WireError } from './wire.ts';

/** https://opentelemetry.io/docs/specs/otlp/#failures-1 */
const PASSING: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const MOST_RESPONSE_BYTES = 65_536;

/** OTLP over HTTP in protobuf, to the path that the URL has. */
export function httpWire({ url, headers, gzip: zipped, tls }: Collector): Wire {
  const secure = url.protocol === 'https:';
  const agent = secure ? new https.Agent({ ...tls, keepAlive: true }) : new http.Agent({ keepAlive: true });

  function post(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(new WireError(signal.aborted ? 'no answer in time' : error.message, true));
      const request = (secure ? https : http).request(url, {
        method: 'POST',
        agent,
        signal,
        headers: {
          ...headers,
          'content-type': 'application/x-protobuf',
          'content-length': body.length,
          ...(zipped ? { 'content-encoding': 'gzip' } : {}),
        },
      });
      request.once('error', fail);
      request.once('response', (response) => {
        const { statusCode = 0 } = response;
        const parts: Buffer[] = [];
        let bytes = 0;
        response.on('data', (part: Buffer) => {
          bytes += part.length;
          if (bytes > MOST_RESPONSE_BYTES) response.destroy(new Error('the collector answers without end'));
          else parts.push(part);
        });
        response.once('error', fail);
        response.once('end', () => {
          if (statusCode >= 200 && statusCode < 300) resolve(Buffer.concat(parts));
          else reject(new WireError(`the collector answered ${statusCode}`, PASSING.has(statusCode)));
        });
      });
      request.end(body);
    });
  }

  return {
    async send(request, timeoutMs, signal) {
      const body = zipped ? await promisify(gzip)(request) : request;
      const late = new AbortController();
      const stop = () => late.abort();
      const timer = setTimeout(stop, timeoutMs);
      signal.addEventListener('abort', stop);
      try {
        return await post(body, late.signal);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
      }
    },
    close: () => agent.destroy(),
  };
}
