// Listens for scans wherever the focus is, except in secrets. Keys reach their field as they come; only when a scan turns out to be
// one that is understood does the field get back what stood in it before.
import { Burst, written, type Press } from './scanner';
import { without } from './undo';

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

interface Before {
  field: Field | null;
  value: string;
}

/** Whether what is typed there must never be read. */
export function isSecret(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLInputElement &&
    (target.type === 'password' || target.autocomplete.endsWith('-password'))
  );
}

/** In a field, fast keys without digits are somebody's or something's text, no number. */
function isNumber(text: string): boolean {
  return /^[=&\]]/.test(text) || (text.match(/\d/g)?.length ?? 0) >= 4;
}

function writable(target: EventTarget | null): Field | null {
  return target instanceof HTMLInputElement ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
    ? target
    : null;
}

/** Calls back with each scan; `undo` takes its keys out of the field they went to. Gives the function that ends it. */
export function onScan(scanned: (text: string, undo: () => void) => void): () => void {
  const burst = new Burst();
  let before: Before[] = [];

  function press(event: KeyboardEvent) {
    if (isSecret(event.target) || event.isComposing) {
      burst.forget();
      before = [];
      return;
    }
    const field = writable(event.target);
    const key: Press = {
      code: event.code,
      shift: event.shiftKey,
      ctrl: event.ctrlKey,
      other: event.altKey || event.metaKey,
      repeat: event.repeat,
      at: event.timeStamp,
    };
    const scan = burst.press(key);
    if (!scan) {
      // Counted as the burst counts them: a dead key is a key, whatever it writes.
      if (written(key) !== null && !key.repeat)
        before = [...before.slice(-511), { field, value: field?.value ?? '' }];
      return;
    }
    const first = before.at(-scan.keys);
    before = [];
    if (field && !isNumber(scan.text)) return;
    // Its end would press a button or open a row.
    event.preventDefault();
    event.stopImmediatePropagation();
    const after = first?.field?.value ?? '';
    scanned(scan.text, () => {
      if (!first?.field || after === first.value) return;
      // What somebody typed while the scan was read stays.
      const value = without(first.value, after, first.field.value);
      if (value === null || value === first.field.value) return;
      first.field.value = value;
      first.field.dispatchEvent(new Event('input', { bubbles: true }));
      first.field.dispatchEvent(new Event('change', { bubbles: true }));
    });
  }

  window.addEventListener('keydown', press, true);
  return () => window.removeEventListener('keydown', press, true);
}
