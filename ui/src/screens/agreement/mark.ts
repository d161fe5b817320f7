// Drawing what was found: by the CSS Custom Highlight API, or by <mark> in a web view without it.

/** What was found, drawn on the screen. */
export interface Marks {
  /** Makes one place the current one and brings it into view. */
  show(now: number): void;
  /** Takes the marks away; the text is as it was. */
  clear(): void;
}

/** Marks every place. The ranges belong to the marks from here on. */
export function draw(found: Range[]): Marks {
  return typeof Highlight === 'function' && 'highlights' in CSS ? highlights(found) : elements(found);
}

function highlights(found: Range[]): Marks {
  CSS.highlights.set('found', new Highlight(...found));
  return {
    show(now) {
      const range = found[now];
      if (!range) return;
      const one = new Highlight(range);
      one.priority = 1;
      CSS.highlights.set('found-now', one);
      range.startContainer.parentElement?.scrollIntoView({ block: 'center' });
    },
    clear() {
      CSS.highlights.delete('found');
      CSS.highlights.delete('found-now');
    },
  };
}

function elements(found: Range[]): Marks {
  // Backwards: to cut a text node leaves what stands before the cut where it was.
  const marks = [...found].reverse().map(wrap).reverse();
  let current: HTMLElement | undefined;
  return {
    show(now) {
      current?.classList.remove('now');
      current = marks[now];
      current?.classList.add('now');
      current?.scrollIntoView({ block: 'center' });
    },
    clear() {
      for (const one of marks) {
        const parent = one.parentNode;
        one.replaceWith(...one.childNodes);
        parent?.normalize();
      }
    },
  };
}

function wrap(range: Range): HTMLElement {
  const mark = document.createElement('mark');
  mark.className = 'found';
  const length = range.endOffset - range.startOffset;
  const words = (range.startContainer as Text).splitText(range.startOffset);
  words.splitText(length);
  words.replaceWith(mark);
  mark.append(words);
  return mark;
}
