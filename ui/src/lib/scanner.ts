// A wedge scanner types like a person, only far faster. What is a scan is decided by timing alone; its text is read off the
// physical keys, because the layout in use garbles it. Pure: the time of each key is its parameter.

export interface Press {
  /** The physical key, as `KeyboardEvent.code`. */
  code: string;
  shift: boolean;
  ctrl: boolean;
  /** Alt or a key of the system is held. */
  other: boolean;
  /** The key is held down and repeats itself: a person's. */
  repeat: boolean;
  /** Milliseconds of a clock that only goes forward. */
  at: number;
}

export interface Scanned {
  text: string;
  /** How many of the last keys it was, of those that `written` counts and that do not repeat themselves. */
  keys: number;
}

/** A longer pause ends the burst. */
const GAP = 60;
/** Keys of a scan come at least this fast on average; who types fastest needs twice as long. */
const PACE = 35;
/** Some scanners wait a moment before they end the line. */
const END_GAP = 120;
/** Shorter bursts are nothing that is scanned here. */
const SHORTEST = 6;
/** Nothing that is scanned is longer. */
const LONGEST = 512;

const digits = ')!@#$%^&*(';
const signs = new Map(
  Object.entries({
    Minus: '-_',
    Equal: '=+',
    BracketLeft: '[{',
    BracketRight: ']}',
    Backslash: '\\|',
    IntlBackslash: '\\|',
    Semicolon: ';:',
    Quote: '\'"',
    Backquote: '`~',
    Comma: ',<',
    Period: '.>',
    Slash: '/?',
    Space: '  ',
    NumpadAdd: '++',
    NumpadSubtract: '--',
    NumpadMultiply: '**',
    NumpadDivide: '//',
    NumpadDecimal: '..',
  }),
);

/** What the key writes on a Latin keyboard; null if it writes nothing. Caps Lock does not count. */
export function latin(code: string, shift: boolean): string | null {
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  if (letter) return shift ? letter : letter.toLowerCase();
  const digit = /^(Digit|Numpad)(\d)$/.exec(code);
  if (digit?.[2]) return shift && digit[1] === 'Digit' ? digits.charAt(Number(digit[2])) : digit[2];
  return signs.get(code)?.charAt(shift ? 1 : 0) ?? null;
}

/** What the key adds to a burst; null if nothing: it writes nothing, or does something else. */
export function written(key: Press): string | null {
  // Scanners send the group separator so.
  if (key.ctrl && !key.other && key.code === 'BracketRight') return '\u001d';
  return key.ctrl || key.other ? null : latin(key.code, key.shift);
}

const ends = new Set(['Enter', 'NumpadEnter', 'Tab']);
const modifiers = /^(Shift|Control|Alt|Meta)(Left|Right)$|^CapsLock$/;

/** Collects keys until they are a scan or are none. */
export class Burst {
  private keys: { text: string; at: number }[] = [];

  /** The next key; a scan if it is the end of one. */
  press(key: Press): Scanned | null {
    if (modifiers.test(key.code)) return null;
    if (ends.has(key.code)) {
      const scanned = key.ctrl || key.other || key.shift || key.repeat ? null : this.end(key.at);
      this.forget();
      return scanned;
    }
    const text = written(key);
    if (text === null) {
      this.forget();
      return null;
    }
    // A person's held key says nothing about a scan before or after it.
    if (key.repeat) return null;
    const last = this.keys.at(-1);
    if (last && (key.at - last.at > GAP || key.at < last.at)) this.forget();
    if (this.keys.length === LONGEST) this.forget();
    this.keys.push({ text, at: key.at });
    return null;
  }

  forget(): void {
    this.keys = [];
  }

  private end(at: number): Scanned | null {
    const last = this.keys.at(-1);
    if (!last || at < last.at || at - last.at > END_GAP) return null;
    // What a person typed just before it came slower.
    let first = 0;
    for (let i = this.keys.length - 1; i > 0; i -= 1) {
      const [before, key] = [this.keys[i - 1], this.keys[i]];
      if (before && key && key.at - before.at > PACE) {
        first = i;
        break;
      }
    }
    const keys = this.keys.slice(first);
    const begin = keys[0];
    if (!begin || keys.length < SHORTEST || last.at - begin.at > PACE * (keys.length - 1)) return null;
    return { text: keys.map((key) => key.text).join(''), keys: keys.length };
  }
}
