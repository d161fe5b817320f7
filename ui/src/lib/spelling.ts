// Why a name answers what was typed though it is spelled otherwise: which of its letters, and what stood for them.

/** What is stored and what was typed for it, letter by letter, or whole words where letters do not pair up. */
export type Difference = [stored: string, typed: string];

export interface Piece {
  text: string;
  differs: boolean;
}

/** Reads `қ→к, ә→а`; nothing for what is no spelling. */
export function differences(matched: string | null): Difference[] {
  return (matched ?? '').split(', ').flatMap((one) => {
    const [stored, typed, ...more] = one.split('→');
    return stored && typed && more.length === 0 ? [[stored, typed] as Difference] : [];
  });
}

/** A letter in lower case, and where it stands in the text. */
interface Letter {
  text: string;
  from: number;
  to: number;
}

/** What inside a word is not heard, and does not split it: apostrophes, accents, what is not seen. */
const SILENT = /['`´‘’ʹʻʼ\u00AD\u200B-\u200D\u2060\uFEFF]|\p{M}/u;
const WORD = /[\p{L}\p{N}\p{M}'`´‘’ʹʻʼ\u00AD\u200B-\u200D\u2060\uFEFF]+/gu;

/** The words as they are compared: the letters that are heard. */
function words(text: string): Letter[][] {
  return [...text.matchAll(WORD)].map((found) => {
    const letters: Letter[] = [];
    let from = found.index;
    for (const one of found[0]) {
      const to = from + one.length;
      // A small letter may be two: of `İ`, a letter and a mark.
      const heard = [...one.toLowerCase()].filter((letter) => !SILENT.test(letter));
      letters.push(...heard.map((letter) => ({ text: letter, from, to })));
      from = to;
    }
    return letters;
  });
}

const spelled = (word: Letter[]) => word.map((letter) => letter.text).join('');

/** The letters that are spelled otherwise in the typed beginning of a word; null if it is not its beginning. */
function others(word: Letter[], typed: Letter[], all: Difference[]): Letter[] | null {
  const found: Letter[] = [];
  for (const [at, { text }] of typed.entries()) {
    const has = word[at];
    if (has === undefined) return null;
    if (has.text === text) continue;
    if (!all.some(([stored, wrote]) => stored === has.text && wrote === text)) return null;
    found.push(has);
  }
  return found;
}

/** The name in pieces, so that those that differ can be marked. */
export function pieces(name: string, query: string, matched: string | null): Piece[] {
  const all = differences(matched);
  if (all.length === 0) return name ? [{ text: name, differs: false }] : [];
  const marked = new Set<number>();
  const typed = words(query.normalize('NFC'));
  for (const word of words(name)) {
    const isWhole = all.some(([stored]) => stored.length > 1 && stored === spelled(word));
    const letters = isWhole ? word : typed.flatMap((one) => others(word, one, all) ?? []);
    for (const { from, to } of letters) for (let at = from; at < to; at++) marked.add(at);
  }
  const result: Piece[] = [];
  for (const [at, letter] of name.split('').entries()) {
    const last = result.at(-1);
    const differs = marked.has(at);
    if (last?.differs === differs) last.text += letter;
    else result.push({ text: letter, differs });
  }
  return result;
}
