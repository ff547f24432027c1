import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { folder } from '../cli/weir.ts';
import { BUILT } from '../support/built.ts';

describe('compilation in a thread, as it is built', () => {
  it('needs plain Node, JavaScript and no loader', async () => {
    const module = new URL('rules/compilation.js', BUILT).href;
    const place = await folder();
    try {
      // A file, for a thread takes over the flags that a text on the command line needs, and fails by them.
      const script = await place.write(
        'script.mjs',
        `import { compilation } from ${JSON.stringify(module)};
        const documents = [{ name: 'a.yaml', text: 'domain: d\\ndescriptors: [{key: a}, {key: b}]' }];
        const compiled = await compilation(documents, { mergeDomains: false, generation: 1 }).compiled;
        console.log(compiled.ok ? compiled.ruleset.rules.map(({ path }) => path).join() : compiled.problems);`,
      );
      expect(execFileSync(process.execPath, [script], { encoding: 'utf8' })).to.equal('d.a,d.b\n');
    } finally {
      await place.remove();
    }
  });
});
