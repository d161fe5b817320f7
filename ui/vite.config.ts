import { readFileSync } from 'node:fs';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { parse } from 'yaml';
import { defineConfig, type Plugin } from 'vitest/config';

/** The words live once, in the shell's YAML files; they become part of the page, so that the first paint waits for nothing. */
function yaml(): Plugin {
  return {
    name: 'yaml',
    enforce: 'pre',
    load(id) {
      if (!id.endsWith('.yml')) return null;
      const words: unknown = parse(readFileSync(id, 'utf8'));
      return { code: `export default ${JSON.stringify(words)}`, moduleType: 'js' };
    },
  };
}

export default defineConfig({
  plugins: [yaml(), svelte(), svelteTesting()],
  base: './',
  build: { target: 'es2022', sourcemap: false },
  server: { fs: { allow: ['..'] } },
  test: { environment: 'happy-dom', include: ['tests/**/*.test.ts'] },
});
