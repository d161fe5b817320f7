// The size of the text on every screen behind the lock, in percent of the usual one. It lasts until the page is dropped.

const sizes = [90, 100, 115, 130, 150];

class TextSize {
  #percent = $state(100);

  get percent(): number {
    return this.#percent;
  }

  /** The next size up or down, or the usual one. */
  step(by: 1 | -1 | 0): void {
    const at = sizes.indexOf(this.#percent) + by;
    this.#percent = by === 0 ? 100 : (sizes[Math.max(0, Math.min(sizes.length - 1, at))] ?? 100);
    // All sizes are in rem.
    document.documentElement.style.fontSize = `${String(this.#percent)}%`;
  }

  /** Ctrl with +, − or 0, whatever the layout; true when it was one of them. */
  key(event: KeyboardEvent): boolean {
    if (!(event.ctrlKey || event.metaKey)) return false;
    if (event.code === 'Equal' || event.code === 'NumpadAdd') this.step(1);
    else if (event.code === 'Minus' || event.code === 'NumpadSubtract') this.step(-1);
    else if (event.code === 'Digit0' || event.code === 'Numpad0') this.step(0);
    else return false;
    event.preventDefault();
    return true;
  }
}

export const textSize = new TextSize();
