// Where in the text the reader is.

/**
 * Calls back with the number of the unit that stands at the top of what `scroller` shows.
 * Gives the function that ends it.
 */
export function watchPlace(scroller: Element, text: Element, changed: (unit: number) => void): () => void {
  const visible = new Set<number>();
  const watching = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        const unit = Number((entry.target as HTMLElement).dataset['unit']);
        if (entry.isIntersecting) visible.add(unit);
        else visible.delete(unit);
      }
      if (visible.size > 0) changed(Math.min(...visible));
    },
    // A thin band below the upper edge: where a heading comes to stand when it is jumped to.
    { root: scroller, rootMargin: '-24px 0px -80% 0px' },
  );
  const column = text.firstElementChild;
  for (const unit of column?.querySelectorAll('[data-unit]') ?? []) watching.observe(unit);
  return () => watching.disconnect();
}
