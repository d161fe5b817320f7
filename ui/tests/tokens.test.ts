// Contrast of the tokens, also where the name of who looks lies over words and ground.
import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

const css = readFileSync('src/app.css', 'utf8');
const blocks = [...css.matchAll(/:root \{([^}]*)\}/g)].map((block) => block[1] ?? '');
const read = (block: string) =>
  Object.fromEntries(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6}|0\.\d+);/g)].map(([, name, value]) => [
      name ?? '',
      value ?? '',
    ]),
  );
const light = read(blocks[0] ?? '');
const themes = { light, dark: { ...light, ...read(blocks[1] ?? '') } };

type Colour = number[];
const parts = (hex: string): Colour => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const over = (under: Colour, ink: Colour, share: number): Colour =>
  under.map((part, at) => part * (1 - share) + (ink[at] ?? 0) * share);
const light_ = (colour: Colour) =>
  colour
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * ([0.2126, 0.7152, 0.0722][at] ?? 0), 0);
const contrast = (one: Colour, other: Colour) => {
  const [low, high] = [light_(one), light_(other)].sort((a, b) => a - b);
  return ((high ?? 0) + 0.05) / ((low ?? 0) + 0.05);
};

const pairs = [
  ...['ink', 'ink-2', 'ink-3', 'brand', 'danger', 'warn', 'ok'].map((word) => [word, 'surface']),
  ...['ink', 'ink-2', 'ink-3', 'brand', 'danger', 'warn'].map((word) => [word, 'bg']),
  ...['ink', 'ink-2'].map((word) => [word, 'well']),
  ...['danger', 'warn', 'ok'].flatMap((word) => [
    [word, `${word}-soft`],
    ['ink', `${word}-soft`],
  ]),
] as [string, string][];

describe.each(Object.entries(themes))('%s', (_, theme) => {
  const colour = (name: string) => parts(theme[name] ?? '');
  const share = Number(theme['wm']);

  it.each(pairs)('%s can be read on %s, under the name too', (word, ground) => {
    expect(share).toBeGreaterThan(0.03);
    const ink = colour('ink');
    for (const behind of [colour(ground), over(colour(ground), ink, share)])
      for (const before of [colour(word), over(colour(word), ink, share)])
        expect(contrast(before, behind)).toBeGreaterThanOrEqual(4.5);
  });
});
