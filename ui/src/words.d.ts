declare module '*.yml' {
  const words: import('./lib/i18n.svelte').Words;
  export default words;
}
