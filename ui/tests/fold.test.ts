import { describe, expect, it } from 'vitest';

import { findIn, fold } from '../src/screens/agreement/find';

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
