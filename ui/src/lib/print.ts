// One door to the printer, so that what is printed can be accounted for.

/** Prints the page as the style sheets for paper lay it out. */
export function print(): void {
  window.print();
}
