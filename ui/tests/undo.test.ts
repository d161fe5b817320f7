// Taking one change of a text back although it was changed again since.
import { describe, expect, it } from 'vitest';

import { without } from '../src/lib/undo';

describe('what a scan wrote', () => {
  it.each([
    // before, after the scan, now, without it
    ['', '123456', '123456', ''],
    ['кас', 'кас123456', 'кас123456', 'кас'],
    ['кас', 'кас123456', 'кас123456ым', 'касым'],
    ['кас', 'кас123456', 'а кас123456', 'а кас'],
    ['ка|с', 'ка123456с', 'ка123456ст', 'ка|ст'],
    // Typed into it, or deleted from it: nobody can tell.
    ['кас', 'кас123456', 'кас12ы3456', null],
    ['кас', 'кас123456', 'кас12345', null],
    ['кас', 'кас123456', '', null],
  ])('%s, %s, %s: %s', (before, after, now, rest) => {
    expect(without(before, after, now)).toBe(rest);
  });

  it('goes, and what was typed before or behind it stays, whatever it was', () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    const text = (alphabet: string, most: number) =>
      Array.from({ length: random(most + 1) }, () => alphabet[random(alphabet.length)]).join('');
    for (let round = 0; round < 2_000; round += 1) {
      // Few letters, so that what comes before, within and behind is often alike.
      const [left, right, scan, typed] = [text('аб', 4), text('аб', 4), text('аб1', 6), text('аб', 3)];
      const [before, after] = [left + right, left + scan + right];
      expect(without(before, after, after)).toBe(before);
      expect(without(before, after, after + typed)).toBe(before + typed);
      const rest = without(before, after, typed + after);
      // Never more is taken away than the scan was long.
      if (rest !== null) expect(rest.length).toBe(typed.length + before.length);
    }
  });
});
