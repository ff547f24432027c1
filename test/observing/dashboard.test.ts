import { expect } from 'chai';
import { DASHBOARD, DRAWN, filledIn, type Panel } from './dashboard.ts';
import { groupingLabels, SERIES, selectorsOf, unknownIn } from './promql.ts';

const COLUMNS = 24;
/** Ids of Grafana's units that the dashboard uses. */
const UNITS = ['reqps', 'cps', 'percentunit', 's', 'short', 'bytes'];
const ANY = { job: '.+', domain: '.+', __rate_interval: '1m', __range: '1h' };

const queries = (panel: Panel) => (panel.targets ?? []).map(({ expr }) => filledIn(expr, ANY));
const datasource = { type: 'prometheus', uid: '${' + 'datasource}' };

describe('the Grafana dashboard', () => {
  it('has the schema of Grafana 11, a uid, and variables for the data source, the job and the domain', () => {
    expect(DASHBOARD.schemaVersion).to.equal(39);
    expect(DASHBOARD.uid).to.equal('weir');
    const { list } = DASHBOARD.templating;
    expect(list.map(({ name, type }) => `${type} ${name}`)).to.deep.equal([
      'datasource datasource',
      'query job',
      'query domain',
    ]);
    for (const { name, label } of list) expect(label, name).to.be.a('string').that.is.not.empty;
  });

  it('gives every panel a title of its own, a description, a unit, and the chosen data source', () => {
    for (const panel of DRAWN) {
      expect(panel.type, panel.title).to.be.oneOf(['timeseries', 'stat', 'table']);
      expect(panel.description, panel.title).to.match(/^[A-Z0-9a-z].{20,}\.$/);
      expect(panel.fieldConfig?.defaults.unit, panel.title).to.be.oneOf(UNITS);
      expect(panel.datasource, panel.title).to.deep.equal(datasource);
      expect(panel.targets, panel.title).to.have.lengthOf.at.least(1);
      for (const target of panel.targets ?? []) expect(target.datasource, panel.title).to.deep.equal(datasource);
    }
    expect(new Set(DRAWN.map(({ title }) => title))).to.have.lengthOf(DRAWN.length);
    expect(new Set(DASHBOARD.panels.map(({ id }) => id))).to.have.lengthOf(DASHBOARD.panels.length);
  });

  it('lays no panel over another, and none beyond the 24 columns', () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of DASHBOARD.panels) {
      expect(gridPos.x + gridPos.w, title).to.be.at.most(COLUMNS);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x},${y}`), `under ${title}`).to.equal(undefined);
          taken.set(`${x},${y}`, title);
        }
      }
    }
  });

  it('asks only for series and labels that weir tells', () => {
    expect(DRAWN.flatMap((panel) => queries(panel).flatMap((expr) => unknownIn(expr)))).to.deep.equal([]);
  });

  it('asks only of the chosen jobs, and of the chosen domains wherever a series has a domain', () => {
    for (const panel of DRAWN) {
      for (const { name, labels } of queries(panel).flatMap(selectorsOf)) {
        expect(labels, `${panel.title}: ${name}`).to.include('job');
        if (SERIES.get(name)?.includes('domain')) expect(labels, `${panel.title}: ${name}`).to.include('domain');
      }
    }
  });

  it('names in a legend only what the query leaves', () => {
    for (const { title, targets = [] } of DRAWN) {
      for (const { expr, legendFormat } of targets) {
        const grouping = groupingLabels(expr);
        const left = /\b(sum|count|max|topk)\b/.test(expr)
          ? grouping
          : selectorsOf(filledIn(expr, ANY)).flatMap(({ name }) => SERIES.get(name) ?? []);
        const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
        for (const label of named) expect(left, title).to.include(label);
      }
    }
  });
});
