// Which rows of a long list are in view. Rows differ in height: a name is never cut.

export interface Span {
  /** First row to draw. */
  from: number;
  /** One after the last row to draw. */
  to: number;
}

/** Where each row begins, and after them where the last one ends. A row that was not measured yet counts as `usual`. */
export function tops(count: number, heights: readonly (number | undefined)[], usual: number): number[] {
  const all = [0];
  for (let i = 0, top = 0; i < count; i += 1) {
    top += heights[i] ?? usual;
    all.push(top);
  }
  return all;
}

/** The last row that begins at or before `y`. */
export function rowAt(all: readonly number[], y: number): number {
  let [low, high] = [0, Math.max(0, all.length - 2)];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((all[middle] ?? 0) <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The rows between `top` and `top + height` and `spare` more at both ends. */
export function span(all: readonly number[], top: number, height: number, spare: number): Span {
  const count = all.length - 1;
  if (count <= 0) return { from: 0, to: 0 };
  return {
    from: Math.max(0, rowAt(all, top) - spare),
    to: Math.min(count, rowAt(all, top + height) + 1 + spare),
  };
}

/** How far to scroll so that the row is wholly in view. */
export function scrollTo(all: readonly number[], row: number, top: number, height: number): number {
  const [begin, end] = [all[row] ?? 0, all[row + 1] ?? 0];
  if (begin < top) return begin;
  return end > top + height ? end - height : top;
}
