import { describe, expect, it } from 'vitest';

import { differences, pieces } from '../src/lib/spelling';

const marked = (name: string, query: string, matched: string | null) => {
  const all = pieces(name, query, matched);
  expect(all.map((one) => one.text).join('')).toBe(name);
  return all.filter((one) => one.differs).map((one) => one.text);
};

describe('what differs', () => {
  it('is marked where it was typed, and nowhere else', () => {
    expect(marked('Қасымова Әсел Қанатқызы', 'касы', 'қ→к')).toEqual(['Қ']);
    expect(marked('Қасымова Әсел Қанатқызы', 'касы асе', 'қ→к, ә→а')).toEqual(['Қ', 'Ә']);
    expect(marked('Нұрланұлы Нұр', 'нурлану', 'ұ→у')).toEqual(['ұ', 'ұ']);
    expect(marked('Сейіт-Қасымова', 'кас', 'қ→к')).toEqual(['Қ']);
  });

  it('is the whole word where letters do not pair up', () => {
    expect(marked('Қасымова Әсел', 'kasy', 'қасымова→kasy')).toEqual(['Қасымова']);
  });

  it('is found across apostrophes, accents and what is not seen', () => {
    expect(marked("O'Brien Қасым", 'obrien кас', 'қ→к')).toEqual(['Қ']);
    expect(marked('Қа\u0301сым', 'каси', 'қ→к, ы→и')).toEqual(['Қ', 'ы']);
    expect(marked('Әб\u00ADді', "а'бди", 'ә→а, і→и')).toEqual(['Ә', 'і']);
    expect(marked('Ғабит İсмаил', 'габит исм', 'ғ→г, i→и')).toEqual(['Ғ', 'İ']);
    expect(marked("Il'yas Ахмет", 'ильяс', 'ilyas→ильяс')).toEqual(['Il', 'yas']);
    expect(marked('Йолдас', 'и\u0306аадас', 'о→а, л→а')).toEqual(['ол']);
  });

  it('is nothing for numbers, exact answers and what is no spelling', () => {
    for (const matched of [null, '', '7010001097', '…1234', '→', 'қ→', 'a→b→c', '<b>'])
      expect(marked('Қасымова', 'кас', matched)).toEqual([]);
    expect(differences('қ→к, ә→а')).toEqual([
      ['қ', 'к'],
      ['ә', 'а'],
    ]);
  });

  it('never cuts or doubles a name', () => {
    for (const name of ['', ' ', 'İ', '𝒜сел', 'Ұ'.repeat(2000), 'а\u0301нна'])
      expect(marked(name, 'у'.repeat(10), 'ұ→у').join('').length).toBeLessThanOrEqual(name.length);
  });
});
