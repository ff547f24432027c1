import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { compile } from '../../src/rules/compile.ts';
import { helm } from '../foreign/go-tools.ts';
import { orSkip } from '../foreign/toolchain.ts';
import { read } from '../house/tree.ts';
import { containerOf, helmSays, only, rendered } from './chart.ts';

const PAGE = read('deploy/README.md');
const BUILD_MS = 600_000;
const blockOf = (language: string, word: string): string =>
  [...PAGE.matchAll(/```(\w+)\n([\s\S]*?)```/g)]
    .map(([, found, text = '']) => (found === language ? text : ''))
    .find((text) => text.includes(word)) ?? '';

describe('deploy/README.md', () => {
  it('shows values and a command that helm takes, and rules in them that load', async function () {
    this.timeout(BUILD_MS);
    const binary = await orSkip(this, helm);
    const folder = await mkdtemp(join(tmpdir(), 'weir-values-'));
    try {
      const values = join(folder, 'values.yaml');
      await writeFile(values, blockOf('yaml', 'values.yaml'));
      const all = rendered(binary, values);
      expect(containerOf(only(all, 'Deployment')).image).to.equal('registry.example.com/weir-ratelimit:0.1.0');
      const files = Object.entries<string>(only(all, 'ConfigMap').data).map(([name, text]) => ({ name, text }));
      expect(compile(files, { mergeDomains: false, generation: 1 })).to.have.property('ok', true);
      const words = blockOf('sh', 'helm install').trim().split(' ').slice(1);
      const args = words.map((word) => (word === 'values.yaml' ? values : word));
      const { code, stdout, stderr } = helmSays(binary, [...args, '--dry-run=client'], null);
      expect(code, stderr).to.equal(0);
      expect(stdout).to.include('weir.ratelimit.svc:8081');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
