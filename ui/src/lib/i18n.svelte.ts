// The words of the interface. They live in the shell's locale files; no word stands in code.
import kk from '../../../src-tauri/locales/kk.yml';
import ru from '../../../src-tauri/locales/ru.yml';

import type { Lang } from './backend';

export interface Words {
  [key: string]: string | Words;
}

const words: Record<Lang, Words> = { kk, ru };

let current = $state<Lang>('kk');

/** The interface language. */
export function language(): Lang {
  return current;
}

export function useLanguage(lang: Lang): void {
  current = lang;
  document.documentElement.lang = lang;
}

function find(lang: Lang, key: string): string | undefined {
  let at: string | Words | undefined = words[lang];
  for (const part of key.split('.')) {
    if (typeof at !== 'object') return undefined;
    at = at[part];
  }
  return typeof at === 'string' ? at : undefined;
}

/** Whether there are words for the key. */
export function has(key: string): boolean {
  return find(current, key) !== undefined;
}

/** The words for `key` in `lang`, placeholders `%{name}` filled in. A missing key shows itself. */
export function say(lang: Lang, key: string, values: Record<string, string | number> = {}): string {
  const text = find(lang, key) ?? key;
  return text.replace(/%\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The words for `key` in the interface language. */
export function t(key: string, values: Record<string, string | number> = {}): string {
  return say(current, key, values);
}

/** The words for `key` where there are any; else the record's own text. */
export function known(key: string, text: string): string {
  return find(current, key) ?? text;
}
