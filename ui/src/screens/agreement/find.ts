// Finding words in the agreement. The text itself never changes: only what is compared is folded.
import type { Lang, Unit } from '../../lib/backend';

/** Lower case, and the Latin «i» that stands in some Kazakh words as the Cyrillic letter it means. Keeps every position. */
export function fold(text: string): string {
  let folded = '';
  for (const unit of text.split('')) {
    const lower = unit.toLowerCase();
    const one = lower.length === 1 ? lower : unit;
    folded += one === 'i' ? '\u0456' : one;
  }
  return folded;
}

/** How many places `words` has in one language of the agreement, also when that one is not on the screen. */
export function countIn(units: Unit[], lang: Lang, words: string): number {
  const wanted = fold(words.trim());
  if (wanted === '') return 0;
  return units.reduce((sum, unit) => sum + fold(unit[lang].join('\n')).split(wanted).length - 1, 0);
}

/** Where `words` stands below `root`, in reading order. */
export function findIn(root: Node, words: string): Range[] {
  const wanted = fold(words.trim());
  if (wanted === '') return [];
  const found: Range[] = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = fold(node.nodeValue ?? '');
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + wanted.length);
      found.push(range);
    }
  }
  return found;
}
