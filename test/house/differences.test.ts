import { expect } from 'chai';
import { differences } from '../oracle/compare.ts';
import { differencesTable, expectations, loadDifferences } from '../oracle/differences.ts';
import { isCheck, recordedAnswer, recordings } from '../oracle/scenario.ts';

const LIST = loadDifferences();
const { scenarios, cases } = recordings();
const EXCUSES = LIST.flatMap(({ id, excuses = [] }) => excuses.map((excuse) => ({ id, excuse })));

/** What was recorded at that place; undefined when there is no such place. */
function recordedAt(scenario: string, at: number | 'counters' | 'metrics' | 'load'): unknown {
  const found = scenarios.find((it) => it.id === scenario);
  if (at === 'load') {
    const it = cases.find(({ id }) => id === scenario);
    return it && { accepted: it.accepted };
  }
  if (at === 'counters' || at === 'metrics') return found?.[at];
  const step = found?.steps[at - 1];
  return step && isCheck(step) ? recordedAnswer(step) : undefined;
}

describe('differences from the Go service', () => {
  it('gives each an id of its own, what Go does, what weir does, and why', () => {
    expect(new Set(LIST.map(({ id }) => id)).size).to.equal(LIST.length);
    for (const { id, title, go, weir, why } of LIST) {
      expect(id).to.match(/^[a-z0-9]+(-[a-z0-9]+)*$/);
      for (const text of [title, go, weir, why]) expect(text.trim(), id).to.not.equal('');
      expect(go, id).to.not.equal(weir);
    }
  });

  it('excuses only what is recorded, each place once', () => {
    const places = EXCUSES.map(({ excuse: { scenario, at } }) => `${scenario} ${at}`);
    expect(places.filter((place, i) => places.indexOf(place) !== i)).to.deep.equal([]);
    const nowhere = EXCUSES.filter(({ excuse: { scenario, at } }) => recordedAt(scenario, at) === undefined);
    expect(nowhere.map(({ excuse }) => `${excuse.scenario} ${excuse.at}`)).to.deep.equal([]);
  });

  it('excuses nothing that equals the recording', () => {
    const stale = EXCUSES.filter(
      ({ excuse }) => differences(recordedAt(excuse.scenario, excuse.at), excuse.instead).length === 0,
    );
    expect(stale.map(({ id, excuse }) => `${id}: ${excuse.scenario} ${excuse.at}`)).to.deep.equal([]);
  });

  it('excuses a response by a whole response, whose statuses are as many', () => {
    for (const { excuse } of EXCUSES) {
      const want = recordedAt(excuse.scenario, excuse.at) as { response?: { statuses?: unknown[] } };
      const { response } = excuse.instead as { response?: { statuses?: unknown[] } };
      if (!want.response || !response) continue;
      expect(response.statuses, excuse.scenario).to.have.length(want.response.statuses?.length ?? 0);
    }
  });

  it('needs every rule about codes for at least one recorded error', () => {
    const errors = scenarios.flatMap(({ steps }) => steps.filter((step) => step.error));
    for (const { codes = [] } of LIST) {
      for (const { go, weir, message } of codes) {
        expect(go).to.not.equal(weir);
        const fits = errors.filter(
          ({ error, anyError }) => error!.code === go && (message === null ? anyError : error!.message === message),
        );
        expect(fits.length, message ?? 'any error').to.be.greaterThan(0);
      }
    }
  });

  it('expects the recording itself everywhere else', () => {
    const { step: expected } = expectations(LIST);
    const excused = new Set(EXCUSES.map(({ excuse }) => `${excuse.scenario} ${excuse.at}`));
    for (const { id, steps } of scenarios) {
      for (const [i, step] of steps.entries()) {
        if (!isCheck(step) || excused.has(`${id} ${i + 1}`) || step.error) continue;
        const recorded = recordedAnswer(step);
        expect(expected(id, i, step, recorded)).to.deep.equal({ want: recorded, because: null });
      }
    }
  });

  it('makes a table with one row for each', () => {
    expect(differencesTable().split('\n')).to.have.length(2 + LIST.length);
  });
});
