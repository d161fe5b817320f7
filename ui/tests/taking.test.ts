// What leaves the screen: recorded for everybody concerned before it does, and not at all where it is refused. Whose screen it is
// stands on every card.
import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { answer, asked, reset, state } from './backend';
import { recipientCard, recipientRow } from './blood';
import * as sample from './sample';
import App from '../src/App.svelte';
import type { Lang } from '../src/lib/backend';

let clipboard: string[] = [];
let printed = vi.fn();

class Item {
  constructor(readonly parts: Record<string, Promise<Blob>>) {}
}

beforeEach(() => {
  reset();
  clipboard = [];
  printed = vi.fn();
  answer('search_donors', () => ({ total: 1, rows: [sample.row], next: null }));
  answer('open_donor', () => sample.card);
  answer('open_donation', () => sample.donation);
  answer('lookback', () => sample.lookback);
  answer('search_recipients', () => ({ total: 1, rows: [recipientRow], next: null }));
  answer('open_recipient', () => recipientCard);
  answer('access_log', () => sample.accesses);
  vi.stubGlobal('print', printed);
  vi.stubGlobal('ClipboardItem', Item);
  vi.stubGlobal('navigator', {
    ...navigator,
    clipboard: {
      write: async ([item]: Item[]) => {
        const blob = await item?.parts['text/plain'];
        clipboard.push((await blob?.text()) ?? '');
      },
    },
  });
  return () => {
    vi.unstubAllGlobals();
    document.getSelection()?.removeAllRanges();
  };
});

async function open(language: Lang = 'kk') {
  answer('get_state', () => state(sample.unlocked, { language }));
  render(App);
  await screen.findByTestId('donor-search');
}

const click = async (id: string) => fireEvent.click(await screen.findByTestId(id));
const taken = () => asked.filter((one) => one.command === 'take_away').map((one) => one.args);
const refuse = () => {
  answer('take_away', () => {
    throw { code: 'read-only-time', retry_after_seconds: null } as unknown as Error;
  });
};

function select(element: Element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  document.getSelection()?.removeAllRanges();
  document.getSelection()?.addRange(range);
}

/** The event that both the keys and the engine's menu end in; false if the engine must not copy by itself. */
const copy = (target: Element = document.body) =>
  fireEvent(target, new Event('copy', { bubbles: true, cancelable: true }));

async function donorCard(language: Lang = 'kk') {
  await open(language);
  await click('donor-row');
  return screen.findByTestId('donor-card');
}

const views: Record<string, () => Promise<unknown>> = {
  'donor-card': () => click('donor-row'),
  'recipient-card': async () => {
    await click('recipients');
    await click('recipient-row');
  },
  'donation-card': async () => {
    await click('donor-row');
    await click('din');
  },
  lookback: async () => {
    await click('donor-row');
    await click('din');
    await click('open-lookback');
  },
};

describe('the name of who looks', () => {
  it.each(Object.keys(views))('stands over %s, for eyes only', async (card) => {
    await open();
    await views[card]?.();
    const shown = await screen.findByTestId(card);
    const mark = shown.closest('.record')?.querySelector('[data-testid="watermark"]');
    expect(mark?.getAttribute('aria-hidden')).toBe('true');
    expect(mark?.textContent).toContain(sample.unlocked.person.name);
    // With the time at which the look was recorded.
    expect(mark?.textContent).toMatch(/· \d\d\.\d\d\.\d{4}/);
    expect(shown.contains(mark ?? null)).toBe(false);
  });
});

describe('copying', () => {
  it('is recorded for whose card it is, and then done', async () => {
    const card = await donorCard();
    select(card.querySelector('h1') ?? card);
    expect(await copy()).toBe(false);
    await waitFor(() => {
      expect(clipboard).toEqual(['Family Given']);
    });
    expect(taken()).toEqual([{ taking: 'copy', patients: [sample.card.id] }]);
    expect((await screen.findByTestId('copied')).textContent).toContain('Көшірілді');
  });

  it('is refused where it may not be recorded', async () => {
    const card = await donorCard();
    refuse();
    select(card);
    expect(await copy()).toBe(false);
    const note = await screen.findByTestId('taking-note');
    expect(note.querySelector('[data-code]')?.getAttribute('data-code')).toBe('read-only-time');
    expect(clipboard).toEqual([]);
    await fireEvent.keyDown(window, { code: 'Escape' });
    expect(screen.queryByTestId('taking-note')).toBeNull();
    // The card stays: Esc meant the note.
    expect(screen.queryByTestId('donor-card')).toBeTruthy();
  });

  it('names everybody whom the selection touches, and nobody else', async () => {
    await open();
    await views['lookback']?.();
    const rows = await screen.findAllByTestId('lookback-recipient');
    select(rows[1] as Element);
    await copy();
    const at = (index: number) => [...((taken()[index]?.['patients'] ?? []) as string[])].sort();
    await waitFor(() => {
      expect(at(0)).toEqual(['d-1', 'r-2']);
    });
    select(screen.getByTestId('lookback'));
    await copy();
    await waitFor(() => {
      expect(at(1)).toEqual(['d-1', 'd-2', 'r-1', 'r-2']);
    });
  });

  it('counts rows of a list and of one’s own log as records', async () => {
    await open();
    select(await screen.findByTestId('donor-row'));
    await copy();
    await waitFor(() => {
      expect(taken()).toEqual([{ taking: 'copy', patients: [sample.row.id] }]);
    });
    await click('access-log');
    const row = (await screen.findAllByTestId('access-row')).find((one) => one.dataset['patient']);
    select(row as Element);
    await copy();
    await waitFor(() => {
      expect(taken()).toHaveLength(2);
    });
  });

  it('leaves alone what is nobody’s record', async () => {
    await open();
    const field = await screen.findByTestId('donor-search');
    select(await screen.findByTestId('donor-row'));
    expect(await copy(field)).toBe(true);
    select(await screen.findByTestId('sync-screen'));
    expect(await copy()).toBe(true);
    expect(taken()).toEqual([]);
  });

  it('says when the clipboard did not take it', async () => {
    const card = await donorCard('ru');
    vi.stubGlobal('navigator', { clipboard: { write: () => Promise.reject(new Error('NotAllowed')) } });
    select(card);
    await copy();
    expect((await screen.findByTestId('taking-note')).textContent).toContain('Не скопировано');
    expect(taken()).toHaveLength(1);
  });

  it('does not go by dragging', async () => {
    const card = await donorCard();
    const drag = new Event('dragstart', { bubbles: true, cancelable: true });
    expect(await fireEvent(card, drag)).toBe(false);
  });
});

describe('the menu', () => {
  const menu = (target: Element) =>
    fireEvent(
      target,
      new MouseEvent('contextmenu', { bubbles: true, cancelable: true, clientX: 9, clientY: 9 }),
    );

  it('copies and prints by the same ways', async () => {
    const card = await donorCard();
    select(card.querySelector('h1') ?? card);
    expect(await menu(card)).toBe(false);
    await click('menu-copy');
    await waitFor(() => {
      expect(clipboard).toEqual(['Family Given']);
    });
    expect(screen.queryByTestId('taking-menu')).toBeNull();
    await menu(card);
    await click('menu-print');
    await waitFor(() => {
      expect(printed).toHaveBeenCalledOnce();
    });
    expect(taken().map((one) => one['taking'])).toEqual(['copy', 'print']);
  });

  it('goes by keys, and leaves fields their own', async () => {
    const card = await donorCard();
    select(card);
    await menu(card);
    const [first, second] = ['menu-copy', 'menu-print'].map((id) => screen.getByTestId(id));
    expect(document.activeElement).toBe(first);
    await fireEvent.keyDown(window, { code: 'ArrowDown' });
    expect(document.activeElement).toBe(second);
    await fireEvent.keyDown(window, { code: 'ArrowDown' });
    expect(document.activeElement).toBe(first);
    await fireEvent.keyDown(window, { code: 'Escape' });
    expect(screen.queryByTestId('taking-menu')).toBeNull();
    expect(screen.queryByTestId('donor-card')).toBeTruthy();
    expect(await menu(screen.getByTestId('donor-search'))).toBe(true);
    expect(screen.queryByTestId('taking-menu')).toBeNull();
  });

  it('offers nothing where nothing is selected or open', async () => {
    await open();
    document.getSelection()?.removeAllRanges();
    await menu(await screen.findByTestId('donor-row'));
    for (const id of ['menu-copy', 'menu-print']) {
      const item = screen.getByTestId(id);
      expect(item.getAttribute('aria-disabled')).toBe('true');
      item.focus();
      expect(document.activeElement).toBe(item);
      await fireEvent.click(item);
    }
    expect(taken()).toEqual([]);
    expect(screen.getByTestId('taking-menu')).toBeTruthy();
  });
});

describe('printing', () => {
  const key = () => fireEvent.keyDown(window, { code: 'KeyP', ctrlKey: true });

  it.each(Object.keys(views))('of %s is recorded first', async (card) => {
    await open();
    await views[card]?.();
    await screen.findByTestId(card);
    expect(await key()).toBe(false);
    await waitFor(() => {
      expect(printed).toHaveBeenCalledOnce();
    });
    expect(taken().map((one) => one['taking'])).toEqual(['print']);
    expect(document.documentElement.dataset['paper']).toBe('record');
  });

  it('does not happen where it is refused', async () => {
    await donorCard();
    refuse();
    await key();
    await screen.findByTestId('error');
    expect(printed).not.toHaveBeenCalled();
    expect(document.documentElement.dataset['paper']).toBeUndefined();
  });

  it('says what can be printed where nothing is open', async () => {
    await open('ru');
    expect(await key()).toBe(false);
    expect((await screen.findByTestId('taking-note')).textContent).toContain('Нет открытой карты');
    expect(taken()).toEqual([]);
    expect(printed).not.toHaveBeenCalled();
  });

  it('of one card opens no way to the paper for the next', async () => {
    await donorCard();
    await key();
    await waitFor(() => {
      expect(printed).toHaveBeenCalledOnce();
    });
    await click('inventory');
    expect(document.documentElement.dataset['paper']).toBeUndefined();
  });
});
