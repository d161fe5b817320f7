// A long list: which rows are in view, in every place and with rows of any height.
import { describe, expect, it } from 'vitest';

import { rowAt, scrollTo, span, tops } from '../src/lib/window';

describe('a long list', () => {
  it('finds its rows at once among a million', () => {
    const all = tops(1_000_000, [], 64);
    expect(all.at(-1)).toBe(64_000_000);
    expect(rowAt(all, 0)).toBe(0);
    expect(rowAt(all, 64)).toBe(1);
    expect(rowAt(all, 63_999_999)).toBe(999_999);
    expect(rowAt(all, 1e12)).toBe(999_999);
    expect(span(all, 6_400, 640, 2)).toEqual({ from: 98, to: 113 });
  });

  it('draws what is in view and no more, with rows of any height', () => {
    const heights = Array.from({ length: 200 }, (_, index) =>
      index % 7 === 0 ? 148 : index % 3 ? 64 : undefined,
    );
    const all = tops(200, heights, 70);
    for (let top = 0; top < (all.at(-1) ?? 0) - 500; top += 37) {
      const { from, to } = span(all, top, 500, 0);
      expect(all[from]).toBeLessThanOrEqual(top);
      expect(all[to]).toBeGreaterThanOrEqual(top + 500);
      expect(to - from).toBeLessThan(12);
    }
  });

  it('has nothing to draw without rows', () => {
    expect(span(tops(0, [], 64), 0, 600, 8)).toEqual({ from: 0, to: 0 });
    expect(span(tops(3, [], 64), 900, 600, 8)).toEqual({ from: 0, to: 3 });
  });

  it('scrolls no further than it has to', () => {
    const all = tops(100, [], 64);
    expect(scrollTo(all, 5, 0, 640)).toBe(0);
    expect(scrollTo(all, 10, 0, 640)).toBe(64);
    expect(scrollTo(all, 2, 640, 640)).toBe(128);
    expect(scrollTo(all, 99, 0, 640)).toBe(5760);
  });
});
