import { describe, expect, it, vi } from 'vitest';

import { findIn, fold } from '../src/screens/agreement/find';
import { draw } from '../src/screens/agreement/mark';
import { watchPlace } from '../src/screens/agreement/place';
import { alignRows } from '../src/screens/agreement/rows';

// Escapes, so that the Latin letter is told from the Cyrillic one.
const cyrillicI = '\u0456';

describe('fold', () => {
  it('joins the Latin i with the Cyrillic letter it stands for', () => {
    expect(fold('\u043ci\u043d\u0434\u0435\u0442')).toBe(`\u043c${cyrillicI}\u043d\u0434\u0435\u0442`);
    expect(fold('I')).toBe(cyrillicI);
  });

  it('keeps every position, also where lower case is longer', () => {
    for (const text of ['\u0130stanbul', 'A\u00a0\u00df', '\ud83e\ude78x']) {
      expect(fold(text)).toHaveLength(text.length);
    }
  });
});

describe('findIn', () => {
  it('finds every place in reading order, across spellings', () => {
    const root = document.createElement('div');
    root.innerHTML = '<p>\u043c\u0456\u043d M\u0456</p><p>\u043ci\u043d</p>';
    const found = findIn(root, ' \u041ci\u043d ');
    expect(found.map((range) => range.toString())).toEqual(['\u043c\u0456\u043d', '\u043ci\u043d']);
  });

  it('finds nothing for nothing', () => {
    const root = document.createElement('div');
    root.textContent = 'text';
    expect(findIn(root, '   ')).toEqual([]);
  });
});

describe('marks without the highlight API', () => {
  const words = 'ab ab\u00a0cab';

  it('keep the text as it is and show the current place', () => {
    const root = document.createElement('div');
    root.innerHTML = `<div>${words}</div>\n\n<div>x</div>`;
    const before = root.textContent;
    const marks = draw(findIn(root, 'ab'));
    const shown = () => [...root.querySelectorAll('mark')];
    expect(shown().map((one) => one.textContent)).toEqual(['ab', 'ab', 'ab']);
    expect(root.textContent).toBe(before);
    marks.show(1);
    expect(shown().map((one) => one.classList.contains('now'))).toEqual([false, true, false]);
    marks.show(2);
    expect(shown().map((one) => one.classList.contains('now'))).toEqual([false, false, true]);
    marks.clear();
    expect(shown()).toEqual([]);
    expect(root.textContent).toBe(before);
    expect(root.firstElementChild?.childNodes).toHaveLength(1);
  });
});

describe('the place in the text', () => {
  it('is the first unit in the band at the top', () => {
    let report: IntersectionObserverCallback | undefined;
    const watched: Element[] = [];
    vi.stubGlobal(
      'IntersectionObserver',
      class {
        constructor(callback: IntersectionObserverCallback) {
          report = callback;
        }
        observe(unit: Element) {
          watched.push(unit);
        }
        disconnect() {
          watched.length = 0;
        }
      },
    );
    const text = document.createElement('div');
    text.innerHTML = '<article><p data-unit="1"></p><p data-unit="2"></p></article><article></article>';
    const places: number[] = [];
    const stop = watchPlace(text, text, (unit) => places.push(unit));
    const seen = (...which: boolean[]) =>
      report?.(
        which.map((isIntersecting, index) => ({
          isIntersecting,
          target: watched[index],
        })) as unknown as IntersectionObserverEntry[],
        {} as IntersectionObserver,
      );
    seen(true, true);
    seen(false, true);
    seen(false, false);
    expect(places).toEqual([1, 2]);
    stop();
    expect(watched).toEqual([]);
    vi.unstubAllGlobals();
  });
});

describe('rows without subgrid', () => {
  it('get the height of the higher unit', () => {
    let report: (() => void) | undefined;
    vi.stubGlobal(
      'ResizeObserver',
      class {
        constructor(callback: () => void) {
          report = callback;
        }
        observe() {
          report?.();
        }
        disconnect() {
          report = undefined;
        }
      },
    );
    const text = document.createElement('div');
    text.innerHTML =
      '<article><p class="unit">20</p><p class="unit">40</p></article><article><p class="unit">30</p><p class="unit">10</p></article>';
    const units = [...text.querySelectorAll<HTMLElement>('.unit')];
    for (const unit of units)
      unit.getBoundingClientRect = () => ({ height: Number(unit.textContent) }) as DOMRect;
    const stop = alignRows(text);
    expect(units.map((unit) => unit.style.minHeight)).toEqual(['30px', '40px', '30px', '40px']);
    stop();
    expect(units.map((unit) => unit.style.minHeight)).toEqual(['', '', '', '']);
    vi.unstubAllGlobals();
  });
});
