import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { compile } from '../../src/rules/compile.ts';

interface RecordedCase {
  readonly id: string;
  readonly about: string;
  readonly files: Readonly<Record<string, string>>;
  readonly merge: boolean;
  readonly accepted: boolean;
  readonly message?: string;
  readonly file?: string;
  readonly compare?: 'prefix';
}

const RECORDED = new URL('../oracle/public/config-errors.json', import.meta.url);
const cases = (JSON.parse(readFileSync(RECORDED, 'utf8')) as { scenarios: RecordedCase[] }).scenarios;

describe('rule files recorded from the Go service', () => {
  it('are at least the 71 that were recorded first', () => {
    expect(cases.length).to.be.at.least(71);
  });

  for (const { id, about, files, merge, accepted, message = '', file, compare } of cases) {
    it(`${id}: ${about} is ${accepted ? 'accepted' : `refused: ${message.split('\n')[0]}`}`, () => {
      const documents = Object.entries(files).map(([name, text]) => ({ name, text }));
      const compiled = compile(documents, { mergeDomains: merge, generation: 1 });
      if (accepted) {
        expect(compiled).to.have.property('ok', true);
        return;
      }
      if (compiled.ok) throw new Error('accepted');
      const [first] = compiled.problems;
      const wanted = compare === 'prefix' ? `${message.split(': ')[0]}: ` : message;
      if (compare === 'prefix') expect(first!.message).to.match(new RegExp(`^${wanted}.`));
      else expect(first!.message).to.equal(wanted);
      // The Go service calls a file by its runtime key.
      if (file !== undefined) expect(first!.file.replaceAll('/', '.')).to.equal(file);
    });
  }
});
