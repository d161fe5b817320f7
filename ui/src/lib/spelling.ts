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

const words = (text: string) => [...text.matchAll(/[\p{L}\p{N}]+/gu)];

/** Where the typed beginning of a word is spelled otherwise; null if it is not its beginning. */
function places(word: string, typed: string, all: Difference[]): number[] | null {
  if (typed.length > word.length) return null;
  const found: number[] = [];
  for (const [at, letter] of [...typed].entries()) {
    const has = word[at];
    if (has === letter) continue;
    if (!all.some(([stored, wrote]) => stored === has && wrote === letter)) return null;
    found.push(at);
  }
  return found;
}

/** The name in pieces, so that those that differ can be marked. */
export function pieces(name: string, query: string, matched: string | null): Piece[] {
  const all = differences(matched);
  const marked = new Set<number>();
  if (all.length > 0)
    for (const found of words(name)) {
      const word = found[0].toLowerCase();
      const isWhole = all.some(([stored]) => stored.length > 1 && stored === word);
      const letters = isWhole
        ? [...word].map((_, at) => at)
        : words(query.toLowerCase()).flatMap((typed) => places(word, typed[0], all) ?? []);
      for (const at of letters) marked.add(found.index + at);
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
