import { expect } from 'chai';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { type CalendarUnit, calendarWindow, isTimeZone } from '../../src/core/calendar.ts';

const HOUR_US = 3_600_000_000;

/** Start and end in UTC, as `2026-03-28T23:00Z 2026-03-29T22:00Z`. */
function windowAt(unit: CalendarUnit, zone: string, at: string): string {
  const { startUs, endUs } = calendarWindow(unit, zone, Date.parse(at) * 1_000);
  return [startUs, endUs].map((us) => new Date(us / 1_000).toISOString().replace(':00.000', '')).join(' ');
}

function hoursOf(zone: string, at: string): number {
  const { startUs, endUs } = calendarWindow('day', zone, Date.parse(at) * 1_000);
  return (endUs - startUs) / HOUR_US;
}

describe('calendar window', () => {
  for (const [unit, zone, at, expected] of [
    ['day', 'UTC', '2026-11-21T08:00Z', '2026-11-21T00:00Z 2026-11-22T00:00Z'],
    ['month', 'UTC', '2024-02-29T23:59:59.999Z', '2024-02-01T00:00Z 2024-03-01T00:00Z'],
    ['month', 'UTC', '2100-02-28T12:00Z', '2100-02-01T00:00Z 2100-03-01T00:00Z'],
    ['year', 'UTC', '2024-12-31T23:59:59Z', '2024-01-01T00:00Z 2025-01-01T00:00Z'],
    ['week', 'UTC', '2027-01-03T23:59:59Z', '2026-12-28T00:00Z 2027-01-04T00:00Z'],
    ['week', 'UTC', '2024-12-30T00:00Z', '2024-12-30T00:00Z 2025-01-06T00:00Z'],
    ['day', 'Europe/Berlin', '2026-03-29T12:00Z', '2026-03-28T23:00Z 2026-03-29T22:00Z'],
    ['month', 'Europe/Berlin', '2026-10-31T23:00Z', '2026-10-31T23:00Z 2026-11-30T23:00Z'],
    ['month', 'Europe/Berlin', '2026-10-31T22:59:59Z', '2026-09-30T22:00Z 2026-10-31T23:00Z'],
    ['day', 'Asia/Kathmandu', '2026-11-21T18:14:59Z', '2026-11-20T18:15Z 2026-11-21T18:15Z'],
    ['week', 'Pacific/Apia', '2011-12-30T10:00Z', '2011-12-26T10:00Z 2012-01-01T10:00Z'],
    // Midnight did not exist there: the day began at one o'clock.
    ['day', 'America/Sao_Paulo', '2018-11-04T12:00Z', '2018-11-04T03:00Z 2018-11-05T02:00Z'],
    // A day that nobody there had: 29 December ends where 31 December begins.
    ['day', 'Pacific/Apia', '2011-12-30T09:59:59Z', '2011-12-29T10:00Z 2011-12-30T10:00Z'],
    ['day', 'Pacific/Apia', '2011-12-30T10:00Z', '2011-12-30T10:00Z 2011-12-31T10:00Z'],
    // Midnight came twice: the day begins at the first one.
    ['day', 'America/Havana', '2026-11-01T04:30Z', '2026-11-01T04:00Z 2026-11-02T05:00Z'],
    // One minute into Sunday clocks were set back to 23:01 of Saturday: one of the two midnights is the window's.
    ['day', 'America/St_Johns', '2007-11-04T03:00Z', '2007-11-03T02:30Z 2007-11-04T03:30Z'],
  ] as const) {
    it(`of a ${unit} in ${zone} at ${at} is ${expected}`, () => {
      expect(windowAt(unit, zone, at)).to.equal(expected);
    });
  }

  it('of a day is 23 hours long when Berlin goes to summer time, 25 when it goes back, else 24', () => {
    const days = ['2026-03-28T12:00Z', '2026-03-29T12:00Z', '2026-10-25T12:00Z', '2026-10-26T12:00Z'];
    expect(days.map((at) => hoursOf('Europe/Berlin', at))).to.deep.equal([24, 23, 25, 24]);
  });

  it('of a year is 365 or 366 days long, also in 1900s and 2000s that are special', () => {
    const days = ['1999', '2000', '2023', '2024', '2100'].map((year) => {
      const { startUs, endUs } = calendarWindow('year', 'UTC', Date.parse(`${year}-06-01T00:00Z`) * 1_000);
      return (endUs - startUs) / (24 * HOUR_US);
    });
    expect(days).to.deep.equal([365, 366, 365, 366, 365]);
  });

  it('holds the microsecond it was asked for, wherever clocks were set back over midnight', () => {
    for (let us = Date.parse('2007-11-04T02:00Z') * 1_000; us < Date.parse('2007-11-04T04:00Z') * 1_000; us += 29e6) {
      const { startUs, endUs } = calendarWindow('day', 'America/St_Johns', us);
      expect(startUs <= us && us < endUs).to.equal(true);
    }
  });

  it('is the same when asked again later in it, earlier, or for another zone between', () => {
    const first = windowAt('month', 'Europe/Berlin', '2026-05-01T00:00Z');
    expect(windowAt('month', 'Asia/Tokyo', '2026-05-15T00:00Z')).to.equal('2026-04-30T15:00Z 2026-05-31T15:00Z');
    expect(windowAt('month', 'Europe/Berlin', '2026-05-31T21:59Z')).to.equal(first);
    expect(windowAt('month', 'Europe/Berlin', '2026-05-31T22:00Z')).to.equal('2026-05-31T22:00Z 2026-06-30T22:00Z');
    expect(windowAt('month', 'Europe/Berlin', '2026-05-15T00:00Z')).to.equal(first);
  });

  it('is that of luxon at 500 random instants from 2012 to 2080', () => {
    const zones = [
      ...['UTC', 'Europe/Berlin', 'America/New_York', 'America/Sao_Paulo', 'Asia/Kathmandu', 'Asia/Tehran'],
      ...['Australia/Lord_Howe', 'Pacific/Apia', 'Pacific/Kiritimati', 'Pacific/Niue', 'Asia/Beirut'],
      ...['Africa/Casablanca', 'America/St_Johns', 'Asia/Gaza', 'America/Asuncion', 'Antarctica/Troll'],
    ];
    const seconds = fc.integer({ min: Date.parse('2012-01-01') / 1_000, max: Date.parse('2080-01-01') / 1_000 });
    const unit = fc.constantFrom<CalendarUnit>('day', 'week', 'month', 'year');
    fc.assert(
      fc.property(seconds, unit, fc.constantFrom(...zones), (at, per, zone) => {
        const local = DateTime.fromSeconds(at, { zone });
        const start = local.startOf(per);
        const end = local.endOf(per).plus(1);
        const { startUs, endUs } = calendarWindow(per, zone, at * 1_000_000);
        expect([startUs, endUs]).to.deep.equal([start.toMillis() * 1_000, end.toMillis() * 1_000]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('time zone', () => {
  it('is a name that IANA has, in any case of letters', () => {
    expect(['UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'Etc/GMT+5', 'europe/berlin'].filter(isTimeZone)).to.have.length(
      5,
    );
  });

  it('is no offset, no nonsense and not nothing', () => {
    expect(['', ' ', '+01:00', '-5', 'Mars/Olympus', 'Europe', 'Europe/Berlin '].filter(isTimeZone)).to.deep.equal([]);
  });
});
