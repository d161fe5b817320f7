// How far the text was read, and what the record of the decision will say of it.
import type { Evidence, Lang } from '../../lib/backend';

export const languages: Lang[] = ['kk', 'ru'];

export class Reading {
  /** The furthest place that was on the screen, in percent. */
  progress = $state<Record<Lang, number>>({ kk: 0, ru: 0 });
  /** Whether the end was on the screen. */
  reached = $state<Record<Lang, boolean>>({ kk: false, ru: false });

  #seen: Record<Lang, boolean> = { kk: false, ru: false };
  #openedAt = Math.floor(Date.now() / 1000);
  #visibleSeconds = 0;

  get anyEnd(): boolean {
    return this.reached.kk || this.reached.ru;
  }

  /** Counts the seconds the window is visible; gives the function that ends it. */
  watch(): () => void {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') this.#visibleSeconds += 1;
    }, 1000);
    return () => clearInterval(timer);
  }

  /** Notes what of the text `scroller` shows, in the languages that are open. */
  measure(scroller: HTMLElement, open: Lang[]): void {
    if (scroller.clientHeight === 0) return;
    const seenTo = scroller.scrollTop + scroller.clientHeight;
    const share = Math.min(1, seenTo / scroller.scrollHeight);
    const end = seenTo >= scroller.scrollHeight - 4;
    for (const lang of open) {
      this.#seen[lang] = true;
      this.progress[lang] = Math.max(this.progress[lang], end ? 100 : Math.floor(share * 99));
      if (end) this.reached[lang] = true;
    }
  }

  evidence(): Evidence {
    return {
      opened_at: this.#openedAt,
      visible_seconds: this.#visibleSeconds,
      languages_shown: languages.filter((lang) => this.#seen[lang]),
      end_reached: languages.filter((lang) => this.reached[lang]),
    };
  }
}
