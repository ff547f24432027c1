import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

/** An authority of the tests, made by openssl in a directory of its own, and what it has signed. */
export interface Certificates {
  /** PEM of the authority. */
  readonly ca: string;
  /** For `name` (`DNS:redis.test`, `IP:127.0.0.1`, several with commas); paths of PEM files. */
  sign(name: string, options?: SignOptions): Promise<Signed>;
  remove(): Promise<void>;
}

export interface Signed {
  readonly cert: string;
  readonly key: string;
}

export interface SignOptions {
  /** For so many days from now; a negative number has expired. Default 30. */
  readonly days?: number;
  /** What it is for, and nothing else. */
  readonly usage?: 'serverAuth' | 'clientAuth';
  /** Default `x`. */
  readonly commonName?: string;
}

const run = promisify(execFile);

export async function certificates(): Promise<Certificates> {
  const directory = await mkdtemp(path.join(tmpdir(), 'weir-certificates-'));
  const file = (name: string): string => path.join(directory, name);
  const openssl = (...args: string[]) => run('openssl', args);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl('req', '-x509', ...key, '-keyout', file('ca.key'), '-out', file('ca.crt'), '-subj', '/CN=weir tests');
  let signed = 0;
  return {
    ca: file('ca.crt'),
    async sign(name, { days = 30, usage, commonName = 'x' } = {}) {
      const [own, request, cert] = ['key', 'csr', 'crt'].map((end) => file(`${signed}.${end}`)) as [
        string,
        string,
        string,
      ];
      signed++;
      await openssl(
        'req',
        ...key,
        '-keyout',
        own,
        '-out',
        request,
        '-subj',
        `/CN=${commonName}`,
        ...(name === '' ? [] : ['-addext', `subjectAltName=${name}`]),
        ...(usage === undefined ? [] : ['-addext', `extendedKeyUsage=${usage}`]),
      );
      const authority = [
        '-CA',
        file('ca.crt'),
        '-CAkey',
        file('ca.key'),
        '-CAcreateserial',
        '-copy_extensions',
        'copy',
      ];
      await openssl('x509', '-req', '-in', request, ...authority, '-days', String(days), '-out', cert);
      return { cert, key: own };
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
