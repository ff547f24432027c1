import { expect } from 'chai';
import { differences } from './compare.ts';
import { isRestOfWindow, keyOfName, nameOfKey, secondsOfName } from './window.ts';

const leftOf = (seconds: number): number => seconds - (Math.floor(Date.now() / 1_000) % seconds);

describe('comparing an answer with a recording', () => {
  it('finds nothing in equal answers, whatever the order of fields', () => {
    expect(differences({ a: [1, { b: 2, c: 3 }] }, { a: [1, { c: 3, b: 2 }] })).to.deep.equal([]);
  });

  it('names the place of a wrong value, of one too many and of one too few', () => {
    expect(differences({ a: { b: [1, 2] } }, { a: { b: [1, 3] } })).to.deep.equal(['a.b[1]: want 2, got 3']);
    expect(differences({ a: 1 }, { a: 1, b: 2 })).to.deep.equal(['b: want nothing, got 2']);
    expect(differences({ a: 1, b: 2 }, { a: 1 })).to.deep.equal(['b: want 2, got nothing']);
    expect(differences([1], [1, 2])).to.have.length(1);
  });

  it('takes { max: 3600 } for what is left of this hour, as 12s or as 12', () => {
    const left = leftOf(3_600);
    expect(differences({ max: 3_600 }, `${left}s`)).to.deep.equal([]);
    expect(differences({ max: 3_600 }, String(left))).to.deep.equal([]);
    const other = left > 1_800 ? left - 900 : left + 900;
    for (const wrong of [`${other}s`, '0s', '3601s', `${left}.5s`, undefined, {}, `${left}ms`]) {
      expect(differences({ max: 3_600 }, wrong), String(wrong)).to.have.length(1);
    }
  });

  it('takes { without: "shop" } for any text that does not hold it', () => {
    expect(differences({ without: 'shop' }, 'the store is away')).to.deep.equal([]);
    for (const wrong of ['shop_user_1', '', undefined, 5]) {
      expect(differences({ without: 'shop' }, wrong)).to.have.length(1);
    }
  });
});

describe('windows of a recording', () => {
  it('allows 2 s between the clocks, across the end of a window too', () => {
    const left = leftOf(60);
    for (const off of [-2, 0, 2]) expect(isRestOfWindow(60, ((left + off + 59) % 60) + 1), String(off)).to.equal(true);
    expect(isRestOfWindow(60, ((left + 30 + 59) % 60) + 1)).to.equal(false);
  });

  it('writes and reads the start of a window as <HOUR>', () => {
    const key = keyOfName('shop_user_1_<HOUR>');
    expect(key).to.match(/^shop_user_1_\d+00$/);
    expect(nameOfKey(key, 3_600)).to.equal('shop_user_1_<HOUR>');
    expect(secondsOfName('shop_user_1_<WEEK>')).to.equal(604_800);
  });
});
