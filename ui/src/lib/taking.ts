// What is about to leave the screen through the clipboard: the words, and whose they are. Elements say it: `data-patient`.

export interface Taken {
  text: string;
  patients: string[];
}

/** Whether somebody types there: what stands in it is their own. */
export function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

/** What is selected, and everybody whose record the selection touches. */
export function selected(): Taken {
  const selection = document.getSelection();
  const patients = new Set<string>();
  if (selection)
    for (let at = 0; at < selection.rangeCount; at += 1) {
      const range = selection.getRangeAt(at);
      if (range.collapsed) continue;
      for (const element of document.querySelectorAll<HTMLElement>('[data-patient]'))
        if (range.intersectsNode(element)) patients.add(element.dataset['patient'] ?? '');
    }
  patients.delete('');
  return { text: selection?.toString() ?? '', patients: [...patients] };
}

/** Puts the words onto the clipboard once they may go. It begins at once: a page may do so only while a key or button is pressed. */
export async function toClipboard(words: Promise<string>): Promise<void> {
  const type = 'text/plain';
  const blob = words.then((text) => new Blob([text], { type }));
  await navigator.clipboard.write([new ClipboardItem({ [type]: blob })]);
}
