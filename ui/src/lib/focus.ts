// After a change of screen the focus goes to its heading.
import { tick } from 'svelte';

/** Once the page shows what it is to show: the heading of what is open in `box`, or else the first one. */
export function toHeading(box: ParentNode = document): void {
  void tick().then(() => {
    const heading =
      box.querySelector<HTMLElement>('main h1[tabindex="-1"]') ??
      box.querySelector<HTMLElement>('h1[tabindex="-1"]');
    heading?.focus();
  });
}
