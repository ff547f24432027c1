import { expect } from 'chai';
import { host } from '../../src/doctor/host.ts';

const WELL = {
  nodeVersion: '20.19.0',
  openFiles: 4_096,
  nowMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  timeZone: 'Europe/Berlin',
};
const marks = (different: Partial<typeof WELL>): string[] => host({ ...WELL, ...different }).map(({ mark }) => mark);

describe('weir doctor and the host', () => {
  it('is content with Node.js 20.19, 4096 open files and a clock of today', () => {
    expect(host(WELL).map(({ says }) => says)).to.deep.equal([
      'Node.js 20.19.0',
      'up to 4096 connections and files may be open',
      'the clock says 2026-01-02T03:04:05Z; windows are cut in UTC, whatever the time zone (Europe/Berlin)',
    ]);
    expect(marks({ nodeVersion: '24.0.0' })).to.deep.equal(['ok', 'ok', 'ok']);
  });

  it('fails for Node.js 20.18 and for a clock of 1970, and warns of 1024 open files', () => {
    expect(marks({ nodeVersion: '20.18.9', openFiles: 1_024, nowMs: 0 })).to.deep.equal(['fail', 'warn', 'fail']);
  });

  it('says nothing of a limit that is not told', () => {
    expect(host({ ...WELL, openFiles: null })).to.have.length(2);
  });
});
