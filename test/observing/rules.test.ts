import { expect } from 'chai';
import { skip } from '../support/skip.ts';
import { groupingLabels, SERIES, selectorsOf, unknownIn } from './promql.ts';
import { promtool } from './promtool.ts';
import { ALERTS, PROMETHEUS_DIR, RECORDINGS, RULE_TESTS } from './rules.ts';

/** Of the recorded series: what they are grouped by, and those that are made of others. */
const WITH_RECORDED = RECORDINGS.reduce((known, { record, expr }) => {
  return new Map(known).set(
    record,
    groupingLabels(expr).filter((label) => label !== 'le'),
  );
}, SERIES);

describe('the rules for Prometheus', () => {
  it('read only series and labels that weir tells, or rules before them record', () => {
    const unknown = [...ALERTS, ...RECORDINGS].flatMap(({ expr }) => unknownIn(expr, WITH_RECORDED));
    expect(unknown).to.deep.equal([]);
  });

  it('are tested with series that have names and labels of weir', () => {
    const series = RULE_TESTS.flatMap((it) => it.input_series.map((input) => input.series));
    expect(series.flatMap((it) => unknownIn(it))).to.deep.equal([]);
    expect(series.filter((it) => selectorsOf(it).length !== 1)).to.deep.equal([]);
  });

  it('have a severity, a summary, a description and a runbook each', () => {
    for (const { alert, labels, annotations } of ALERTS) {
      expect(labels.severity, alert).to.be.oneOf(['critical', 'warning', 'info']);
      expect(annotations, alert).to.have.all.keys('summary', 'description', 'runbook_url');
    }
    expect(new Set(ALERTS.map(({ alert }) => alert))).to.have.lengthOf(ALERTS.length);
  });

  it('are each tested when quiet and when firing, or for what they record', () => {
    const tested = RULE_TESTS.flatMap((it) => it.alert_rule_test ?? []);
    const names = (firing: boolean) =>
      new Set(tested.filter((it) => it.exp_alerts.length > 0 === firing).map(({ alertname }) => alertname));
    const all = ALERTS.map(({ alert }) => alert);
    expect(all.filter((alert) => !names(true).has(alert))).to.deep.equal([]);
    expect(all.filter((alert) => !names(false).has(alert))).to.deep.equal([]);
    const asked = RULE_TESTS.flatMap((it) => it.promql_expr_test ?? []).flatMap(({ expr }) => selectorsOf(expr));
    expect(RECORDINGS.map(({ record }) => record)).to.have.members([...new Set(asked.map(({ name }) => name))]);
  });

  for (const [what, words] of [
    ['check', ['check', 'rules', '--lint=all', '--lint-fatal', 'weir.rules.yaml']],
    ['test', ['test', 'rules', 'weir.rules.test.yaml']],
  ] as const) {
    it(`pass promtool ${what} rules`, function () {
      if (process.env.WITHOUT_PROMETHEUS === '1') skip(this, 'WITHOUT_PROMETHEUS=1');
      const { status, said } = promtool(words, PROMETHEUS_DIR);
      expect(status, said).to.equal(0);
    });
  }
});
