// Scans among typing, cut and doubled. Times are given, not waited for.
import { describe, expect, it } from 'vitest';

import { Burst, latin, type Press, type Scanned } from '../src/lib/scanner';

/** A generator of our own: the same numbers in every run. */
function random(seed: number): () => number {
  let at = seed;
  return () => {
    at = (at * 1664525 + 1013904223) >>> 0;
    return at / 2 ** 32;
  };
}

const plain = { shift: false, ctrl: false, other: false, repeat: false };

/** The keys a scanner presses for a text of label characters. */
function keys(text: string): Omit<Press, 'at'>[] {
  return [...text].map((char) => {
    if (/[A-Z]/.test(char)) return { ...plain, code: `Key${char}`, shift: true };
    if (/[a-z]/.test(char)) return { ...plain, code: `Key${char.toUpperCase()}` };
    if (/\d/.test(char)) return { ...plain, code: `Digit${char}` };
    if (char === '=') return { ...plain, code: 'Equal' };
    if (char === '%') return { ...plain, code: 'Digit5', shift: true };
    if (char === '\n') return { ...plain, code: 'Enter' };
    throw new Error(char);
  });
}

/** Presses all of them, `gap()` milliseconds apart, beginning at `at`; the scans that came of it and when it ended. */
function play(burst: Burst, text: string, at: number, gap: () => number): { scans: Scanned[]; at: number } {
  const scans: Scanned[] = [];
  let now = at;
  for (const key of keys(text)) {
    const scan = burst.press({ ...key, at: now });
    if (scan) scans.push(scan);
    now += gap();
  }
  return { scans, at: now };
}

const DIN = 'KZ00126000001V';
const fast = () => 8;
const slow = () => 180;

describe('keys', () => {
  it('are read as on a Latin keyboard whatever the layout', () => {
    expect(latin('Digit1', false)).toBe('1');
    expect(latin('Digit5', true)).toBe('%');
    expect(latin('KeyQ', true)).toBe('Q');
    expect(latin('Numpad7', true)).toBe('7');
    expect(latin('Digit0', true)).toBe(')');
    expect(latin('Comma', true)).toBe('<');
    for (const code of ['Enter', 'F2', 'ArrowDown', 'Digit10', 'KeyЯ', '', 'constructor']) {
      expect(latin(code, false)).toBeNull();
    }
  });
});

describe('a burst', () => {
  it('is a scan, with or without a pause before its end', () => {
    expect(play(new Burst(), `${DIN}\n`, 0, fast).scans).toEqual([{ text: DIN, keys: DIN.length }]);
    const burst = new Burst();
    const { at } = play(burst, '=%0600', 0, fast);
    expect(burst.press({ ...plain, code: 'NumpadEnter', at: at + 100 })).toEqual({ text: '=%0600', keys: 6 });
  });

  it('is none when typed, however long', () => {
    const next = random(1);
    for (let run = 0; run < 200; run += 1) {
      const pause = () => 70 + next() * 200;
      expect(play(new Burst(), `${DIN}\n`, 0, pause).scans).toEqual([]);
    }
  });

  it('is none when somebody rolls a few keys', () => {
    const burst = new Burst();
    expect(play(burst, 'abc\n', 0, fast).scans).toEqual([]);
    expect(play(burst, 'abcde\n', 5000, fast).scans).toEqual([]);
  });

  it('stands apart from what was typed before and after it', () => {
    const next = random(2);
    for (let run = 0; run < 300; run += 1) {
      const burst = new Burst();
      const typed = 'kasymova'.slice(0, 1 + Math.floor(next() * 8));
      // The scanner begins while the person is between two keys, even right after one.
      const before = play(burst, typed, 0, () => 90 + next() * 150);
      const start = before.at - (run % 2 ? 40 : 0);
      const scan = play(burst, `${DIN}\n`, Math.max(start, before.at - 45), () => 2 + next() * 25);
      expect(scan.scans).toEqual([{ text: DIN, keys: DIN.length }]);
      expect(play(burst, `${typed}\n`, scan.at + 300, slow).scans).toEqual([]);
    }
  });

  it('twice is two scans', () => {
    expect(play(new Burst(), `${DIN}\n${DIN}\n`, 0, fast).scans.map((scan) => scan.text)).toEqual([DIN, DIN]);
  });

  it('cut anywhere is nothing, or what was left of it', () => {
    for (let cut = 1; cut < DIN.length; cut += 1) {
      const burst = new Burst();
      // Its end never came: the next scan is whole.
      const { at } = play(burst, DIN.slice(0, cut), 0, fast);
      expect(play(burst, `${DIN}\n`, at + 500, fast).scans.map((scan) => scan.text)).toEqual([DIN]);
      // Its beginning never came.
      const rest = DIN.slice(cut);
      const scans = play(new Burst(), `${rest}\n`, 0, fast).scans.map((scan) => scan.text);
      expect(scans).toEqual(rest.length >= 6 ? [rest] : []);
    }
  });

  it('with a key of the person inside is read as it came, so that its check fails', () => {
    const next = random(3);
    for (let run = 0; run < 100; run += 1) {
      const at = 1 + Math.floor(next() * (DIN.length - 1));
      const mixed = `${DIN.slice(0, at)}k${DIN.slice(at)}`;
      expect(play(new Burst(), `${mixed}\n`, 0, fast).scans.map((scan) => scan.text)).toEqual([mixed]);
    }
  });

  it('ends at shortcuts and other keys, and a held key says nothing', () => {
    const burst = new Burst();
    const { at } = play(burst, DIN, 0, fast);
    burst.press({ ...plain, code: 'KeyC', ctrl: true, at });
    expect(burst.press({ ...plain, code: 'Enter', at: at + 5 })).toBeNull();
    const again = play(burst, DIN, 1000, fast);
    burst.press({ ...plain, code: 'ArrowLeft', at: again.at });
    expect(burst.press({ ...plain, code: 'Enter', at: again.at + 5 })).toBeNull();
    const held = new Burst();
    for (let i = 0; i < 40; i += 1) held.press({ ...plain, code: 'KeyA', repeat: i > 0, at: i * 30 });
    expect(held.press({ ...plain, code: 'Enter', at: 1210 })).toBeNull();
  });

  it('reads modifiers as no keys and the separator as part of it', () => {
    const burst = new Burst();
    let at = 0;
    const press = (key: Partial<Press>) => burst.press({ ...plain, code: '', ...key, at: (at += 5) });
    for (const code of ['ShiftLeft', 'KeyK']) press({ code, shift: true });
    for (const digit of '00126') press({ code: `Digit${digit}` });
    for (const code of ['ControlLeft', 'BracketRight']) press({ code, ctrl: true });
    press({ code: 'Digit1' });
    expect(press({ code: 'Enter' })?.text).toBe('K00126\u001d1');
  });

  it('among cut, doubled and typed ones comes out whole, and nothing else comes out that was not scanned', () => {
    const next = random(5);
    const pick = (count: number) => Math.floor(next() * count);
    for (let run = 0; run < 500; run += 1) {
      const burst = new Burst();
      const expected: string[] = [];
      const got: string[] = [];
      let at = 0;
      for (let part = 0; part < 12; part += 1) {
        const cut = 1 + pick(DIN.length - 1);
        const [text, scans, gap] = [
          [`${DIN}\n`, [DIN], () => 2 + next() * 25],
          [`${DIN}\n${DIN}\n`, [DIN, DIN], () => 2 + next() * 25],
          // Its end was lost: whatever comes next is not its end.
          [DIN.slice(0, cut), [], fast],
          [`${DIN.slice(cut)}\n`, DIN.length - cut >= 6 ? [DIN.slice(cut)] : [], fast],
          [`${'kasymova'.slice(pick(8))}${pick(2) ? '\n' : ''}`, [], () => 70 + next() * 200],
        ][pick(5)] as [string, string[], () => number];
        const played = play(burst, text, at, gap);
        expected.push(...scans);
        got.push(...played.scans.map((scan) => scan.text));
        at = played.at + 150 + next() * 1000;
      }
      expect(got).toEqual(expected);
    }
  });

  it('of two scanners at once comes as it came, never as the number of one of them', () => {
    const next = random(6);
    const other = 'KZ00126000002H';
    for (let run = 0; run < 300; run += 1) {
      const left = [[...DIN], [...other]];
      let mixed = '';
      while (left.some((rest) => rest.length > 0)) {
        const rest = left[next() < 0.5 ? 0 : 1];
        mixed += rest?.shift() ?? '';
      }
      const scans = play(new Burst(), `${mixed}\n`, 0, fast).scans.map((scan) => scan.text);
      expect(scans).toEqual([mixed]);
    }
  });

  it('never ends in an exception, whatever is pressed', () => {
    const next = random(4);
    const codes = ['KeyA', 'Digit0', 'Equal', 'Enter', 'Tab', 'ShiftLeft', 'F2', '', 'Unidentified', 'Space'];
    const burst = new Burst();
    let at = 0;
    for (let i = 0; i < 20_000; i += 1) {
      const flag = () => next() < 0.05;
      at += next() < 0.01 ? -1000 : next() * 40;
      const code = codes[Math.floor(next() * codes.length)] ?? '';
      const scan = burst.press({ code, shift: flag(), ctrl: flag(), other: flag(), repeat: flag(), at });
      if (scan) expect(scan.text).toHaveLength(scan.keys);
    }
  });
});
