import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { skip } from '../support/skip.ts';
import { unknownIn } from './promql.ts';
import { checkedByPromtool } from './promtool.ts';
import { ALERTS } from './rules.ts';

const RUNBOOK = readFileSync(fileURLToPath(new URL('../../docs/runbook.md', import.meta.url)), 'utf8');
/** The text of each section about an alert, by its heading. */
const SECTIONS = new Map(
  RUNBOOK.split(/^### /m)
    .slice(1)
    .map((section) => {
      const [heading = '', ...lines] = section.split(/\n(?=## )/)[0]!.split('\n');
      return [heading.trim(), lines.join('\n')];
    }),
);
const QUERIES = [...RUNBOOK.matchAll(/```promql\n([\s\S]*?)```/g)].map(([, query = '']) => query);

describe('the runbook', () => {
  it('has a section for each alert and for nothing else', () => {
    expect([...SECTIONS.keys()]).to.have.members(ALERTS.map(({ alert }) => alert));
  });

  it('is linked from each alert by the address of its section', () => {
    for (const { alert, annotations } of ALERTS) {
      expect(annotations.runbook_url, alert).to.match(new RegExp(`/docs/runbook\\.md#${alert.toLowerCase()}$`));
    }
  });

  it('tells of each alert what it means, how to see it and what to do', () => {
    for (const [alert, text] of SECTIONS) {
      for (const part of ['What it means', 'How to see', 'What to do']) {
        expect(text, alert).to.match(new RegExp(`^\\*\\*${part}\\.\\*\\* [^\\n]{20,}`, 'm'));
      }
    }
  });

  it('asks Prometheus only for series and labels that weir tells', () => {
    expect(QUERIES).to.have.lengthOf.at.least(5);
    expect(QUERIES.flatMap((query) => unknownIn(query))).to.deep.equal([]);
  });

  it('has queries that promtool can read', function () {
    if (process.env.WITHOUT_PROMETHEUS === '1') skip(this, 'WITHOUT_PROMETHEUS=1');
    expect(checkedByPromtool(QUERIES)).to.include({ status: 0 });
  });
});
