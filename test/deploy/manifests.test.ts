import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { orSkip } from '../foreign/toolchain.ts';
import { ROOT } from '../house/tree.ts';
import { needsRedis, ownRedis } from '../support/redis.ts';
import { containerOf, environmentOf, only, type Resource, resources } from './chart.ts';
import { validator, wrongWith } from './kinds.ts';

const FOLDER = join(ROOT, 'deploy/kubernetes');
const ROUND_MS = 120_000;

describe('the plain manifests', () => {
  const files = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.yaml'))
    .sort();
  const all: readonly Resource[] = files.flatMap((name) => resources(readFileSync(join(FOLDER, name), 'utf8')));

  it('are what Kubernetes 1.29 and 1.37 know', async function () {
    this.timeout(ROUND_MS);
    const python = await orSkip(this, validator);
    expect(await wrongWith(python, all)).to.deep.equal([]);
  });

  it('make their namespace first, as kubectl apply goes by the names of files, and put all else into it', () => {
    const [first, ...rest] = all;
    expect(first?.kind).to.equal('Namespace');
    expect(rest.filter(({ metadata }) => metadata.namespace !== first?.metadata.name)).to.deep.equal([]);
  });

  it('name in REDIS_URL the Service of their Redis, which lets in pods with the labels of weir', () => {
    const weir = only(all, 'Deployment');
    const { metadata, spec } = only(all, 'Service', 'redis');
    expect(environmentOf(containerOf(weir)).REDIS_URL).to.equal(`${metadata.name}:${spec.ports[0].port}`);
    const [{ from }] = only(all, 'NetworkPolicy', 'redis').spec.ingress;
    expect(weir.spec.template.metadata.labels).to.include(from[0].podSelector.matchLabels);
  });

  it('give Redis a configuration that it takes: it refuses to forget, and keeps an append-only file', async function () {
    needsRedis(this);
    const text: string = only(all, 'ConfigMap', 'redis').data['redis.conf'];
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const args = lines.flatMap((line) => {
      const [name, ...values] = line.split(' ');
      return [`--${name}`, ...values.map((value) => (value === '""' ? '' : value))];
    });
    const redis = await ownRedis({ args });
    try {
      const config = async (name: string) => ((await redis.client.config('GET', name)) as string[])[1];
      expect(await config('maxmemory-policy')).to.equal('noeviction');
      expect(await config('maxmemory')).to.equal(String(384 * 1024 * 1024));
      expect(await config('appendonly')).to.equal('yes');
      expect(await config('save')).to.equal('');
    } finally {
      await redis.stop();
    }
  });
});
