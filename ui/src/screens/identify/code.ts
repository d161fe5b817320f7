// How the enrolment code stands in its field. What the symbols mean is for the shell to say.

/** Symbols of a whole code, the check symbol among them. */
export const SYMBOLS = 21;
const GROUP = 5;

/** The symbols alone. The key right of 0 types a hyphen, under the Kazakh layout «ө»: both only separate. */
export function symbolsOf(typed: string): string {
  return typed
    .normalize('NFC')
    .replace(/[\s_\u002d\u2010-\u2015\u04e8\u04e9]/g, '')
    .replace(/[a-z]/g, (letter) => letter.toUpperCase());
}

/** The symbols in groups of five, as on the sheet the administrator gives. */
export function grouped(typed: string): string {
  const symbols = symbolsOf(typed);
  const groups: string[] = [];
  for (let at = 0; at < symbols.length; at += GROUP) groups.push(symbols.slice(at, at + GROUP));
  return groups.join('-');
}

/** Where the caret stands in the grouped code once `symbols` symbols are before it. */
export function caretAfter(symbols: number): number {
  return symbols === 0 ? 0 : symbols + Math.floor((symbols - 1) / GROUP);
}
