// One door to the printer. What is open says how it is printed, and records it first; nothing else of the patient data gets onto paper.

type Paper = () => Promise<void>;

let open: Paper | null = null;

/** What is printed from now on; the answer is the function that takes it back. */
export function printable(paper: Paper): () => void {
  open = paper;
  return () => {
    if (open !== paper) return;
    open = null;
    delete document.documentElement.dataset['paper'];
  };
}

export function isPrintable(): boolean {
  return open !== null;
}

/** Prints what is open; false if nothing is. */
export function print(): boolean {
  void open?.();
  return open !== null;
}

/** Sends the page to the printer as the style sheets for paper lay it out: the record alone, once it may go. */
export function toPrinter(): void {
  document.documentElement.dataset['paper'] = 'record';
  // The date stands on the page before the page goes to the printer.
  requestAnimationFrame(() => window.print());
}
