// Rows of equal height across the columns, for a web view without subgrid.

export function subgrid(): boolean {
  return CSS.supports('grid-template-rows', 'subgrid');
}

/** Keeps the n-th units of both columns at one height. Gives the function that ends it. */
export function alignRows(text: HTMLElement): () => void {
  const columns = [...text.children].map((column) => [...column.querySelectorAll<HTMLElement>('.unit')]);
  const units = columns.flat();
  const rows = (columns[0] ?? []).map((_, row) => columns.flatMap((column) => column[row] ?? []));

  // Everything is read between the two writes, so that the page is laid out twice and not once per row.
  function align() {
    for (const unit of units) unit.style.minHeight = '';
    const heights = rows.map((row) => Math.max(...row.map((unit) => unit.getBoundingClientRect().height)));
    rows.forEach((row, index) => {
      for (const unit of row) unit.style.minHeight = `${String(heights[index])}px`;
    });
  }

  // Of its own accord only the width changes the heights; the observer also calls once at the start.
  let width = -1;
  const watching = new ResizeObserver(() => {
    if (text.clientWidth === width) return;
    width = text.clientWidth;
    align();
  });
  watching.observe(text);
  return () => {
    watching.disconnect();
    for (const unit of units) unit.style.minHeight = '';
  };
}
