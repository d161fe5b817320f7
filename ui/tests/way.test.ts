// The way through the desk: where Esc leads, where the focus goes, what a section keeps, which keys act everywhere.
import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';

import { answer, asked, emit, reset, state } from './backend';
import { inventory, recipientCard, recipientRow } from './blood';
import * as sample from './sample';
import App from '../src/App.svelte';
import { Desk } from '../src/lib/desk.svelte';
import type { Lang } from '../src/lib/backend';

beforeEach(() => {
  reset();
  answer('get_state', () => state(sample.unlocked));
  answer('search_donors', () => ({ total: 1, rows: [sample.row], next: null }));
  answer('open_donor', ({ id }) => ({ ...sample.card, id }));
  answer('open_donation', ({ din }) => ({ ...sample.donation, din }));
  answer('lookback', ({ din }) => ({ ...sample.lookback, din }));
  answer('inventory', () => inventory);
  answer('access_log', () => sample.accesses);
  answer('search_recipients', () => ({ total: 1, rows: [recipientRow], next: null }));
  answer('open_recipient', ({ id }) => ({ ...recipientCard, id }));
});

const click = async (id: string) => fireEvent.click(await screen.findByTestId(id));
const press = (code: string, more: Partial<KeyboardEventInit> = {}) =>
  fireEvent.keyDown(document.activeElement ?? window, { code, bubbles: true, ...more });
const count = (command: string) => asked.filter((one) => one.command === command).length;
const focused = () => document.activeElement;

async function open() {
  render(App);
  await screen.findByTestId('donor-row');
}

async function toLookback() {
  await open();
  await click('donor-row');
  await screen.findByTestId('donor-card');
  await fireEvent.click(screen.getAllByTestId('din')[0] as HTMLElement);
  await screen.findByTestId('donation-card');
  await click('open-lookback');
  return screen.findByTestId('lookback');
}

describe('the way back', () => {
  it('leads from each recipient to the same lookback, which is asked for once', async () => {
    await toLookback();
    for (let person = 0; person < 3; person += 1) {
      await fireEvent.click(
        screen.getAllByTestId('lookback-recipient')[0]?.querySelector('button') as HTMLElement,
      );
      await screen.findByTestId('recipient-card');
      expect(screen.queryByTestId('lookback')).toBeNull();
      await press('Escape');
      await screen.findByTestId('lookback');
    }
    expect(count('lookback')).toBe(1);
    await press('Escape');
    await screen.findByTestId('donation-card');
    await press('Escape');
    await screen.findByTestId('donor-card');
    await press('Escape');
    await waitFor(() => expect(screen.queryByTestId('donor-card')).toBeNull());
    expect([count('open_donor'), count('open_donation'), count('open_recipient')]).toEqual([1, 1, 3]);
  });

  it('has no place twice and an end, however much is scanned', () => {
    const desk = new Desk();
    for (let scan = 0; scan < 100; scan += 1) desk.openDonation(scan % 2 ? 'A' : 'B');
    const seen: string[] = [];
    while (desk.hasWay) {
      desk.back();
      seen.push(desk.place);
    }
    expect(seen).toEqual(['donation B', 'donors ']);
    for (let scan = 0; scan < 100; scan += 1) desk.openDonation(String(scan));
    let steps = 0;
    for (; desk.above; steps += 1) desk.back();
    expect(steps).toBeLessThan(30);
    expect(desk.section).toBe('donors');
  });

  it('always ends, and never shows a card under another number', () => {
    let seed = 5;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    for (let round = 0; round < 100; round += 1) {
      const desk = new Desk();
      for (let act = 0; act < 40; act += 1) {
        const id = String(random(3));
        [
          () => desk.openDonation(id),
          () => desk.openLookback(id),
          () => desk.openDonor(id),
          () => desk.openRecipient(id),
          () => desk.findDonors(id),
          () => desk.go('inventory'),
          () => desk.back(),
          () => void desk.donor.open(id),
        ][random(8)]?.();
        if (desk.above) expect(desk[desk.above.kind].id).toBe(desk.above.din);
      }
      for (let steps = 0; desk.hasWay || desk.above; steps += 1) {
        expect(steps).toBeLessThan(40);
        const before = desk.place;
        desk.back();
        expect(desk.place).not.toBe(before);
        if (desk.above) expect(desk[desk.above.kind].id).toBe(desk.above.din);
      }
      expect(desk.above).toBeNull();
    }
  });
});

describe('the focus', () => {
  it('goes to the heading of a section, of a card and of what one comes back to', async () => {
    await open();
    for (const [digit, testid] of [
      [2, 'inventory'],
      [3, 'recipients'],
      [4, 'access-log'],
      [6, 'settings'],
      [1, 'donors'],
    ] as const) {
      await press(`Digit${String(digit)}`, { altKey: true });
      const section = await screen.findByTestId(testid);
      await waitFor(() => expect(focused()?.tagName).toBe('H1'));
      expect(section.contains(focused())).toBe(true);
    }
    await click('donor-row');
    const card = await screen.findByTestId('donor-card');
    await waitFor(() => expect(focused()).toBe(card.querySelector('h1')));
    await fireEvent.click(screen.getAllByTestId('din')[0] as HTMLElement);
    const donation = await screen.findByTestId('donation-card');
    await waitFor(() => expect(focused()).toBe(donation.querySelector('h1')));
    await press('Escape');
    await waitFor(() => expect(focused()).toBe(screen.getByTestId('donor-card').querySelector('h1')));
    await press('Escape');
    await waitFor(() => expect(focused()).toBe(screen.getByTestId('donor-search')));
  });

  it('stays with who types while a card is read', async () => {
    await open();
    let release: (() => void) | undefined;
    const held = new Promise<void>((go) => (release = go));
    answer('open_donor', () => held.then(() => sample.card));
    await click('donor-row');
    const field = screen.getByTestId('donor-search');
    field.focus();
    await fireEvent.input(field, { target: { value: 'к' } });
    release?.();
    await screen.findByTestId('donor-card');
    await new Promise((go) => setTimeout(go));
    expect(focused()).toBe(field);
  });
});

describe('the contracted id of a section', () => {
  const ids = ['inventory', 'recipients', 'access-log', 'sync-screen', 'settings', 'proof-card'];
  const once = () => expect(ids.map((id) => screen.queryAllByTestId(id).length)).toEqual(ids.map(() => 1));

  it('is there once, wherever one is: on the way to it until it is shown', async () => {
    await open();
    once();
    for (const id of ids) {
      const way = screen.getByTestId(id);
      expect(way.tagName).toBe('BUTTON');
      await fireEvent.click(way);
      once();
      expect(screen.getByTestId(id).tagName).not.toBe('BUTTON');
    }
    await click('nav-donors');
    await click('donor-row');
    await screen.findByTestId('donor-card');
    await fireEvent.click(screen.getAllByTestId('din')[0] as HTMLElement);
    await screen.findByTestId('donation-card');
    once();
  });
});

describe('F2', () => {
  it.each(['inventory', 'access-log', 'sync-screen', 'settings', 'proof-card'])(
    'leads from %s to the search for donors',
    async (section) => {
      await open();
      await click(section);
      await waitFor(() => expect(screen.queryByTestId('donor-search')).toBeNull());
      await press('F2');
      await waitFor(() => expect(focused()).toBe(screen.getByTestId('donor-search')));
      await new Promise((go) => setTimeout(go));
      expect(focused()).toBe(screen.getByTestId('donor-search'));
    },
  );

  it('leads there from a lookback, and shows the field although a card is open', async () => {
    await toLookback();
    await press('F2');
    const field = await screen.findByTestId('donor-search');
    await waitFor(() => expect(focused()).toBe(field));
    const finder = screen.getByTestId('donors');
    // Under 1024 wide the class decides which of the two is shown.
    expect(screen.getByTestId('donor-card')).toBeTruthy();
    expect(finder.classList.contains('open')).toBe(false);
    // The open one is shown again without another look.
    await click('donor-row');
    await waitFor(() => expect(finder.classList.contains('open')).toBe(true));
    expect(count('open_donor')).toBe(1);
  });

  it('goes to the field of the recipients where that stands before one', async () => {
    await open();
    await click('recipients');
    await press('F2');
    await waitFor(() => expect(focused()).toBe(screen.getByTestId('recipient-search')));
  });
});

describe.each<Lang>(['kk', 'ru'])('F1 in %s', (language) => {
  it('lists all keys, on every screen', async () => {
    for (const one of [sample.unlocked, { name: 'return' as const, people: sample.people }]) {
      answer('get_state', () => state(one, { language }));
      const { unmount } = render(App);
      await screen.findByTestId('status-bar');
      await fireEvent.keyDown(window, { code: 'F1' });
      const dialog = await screen.findByTestId('keys-dialog');
      expect([...dialog.querySelectorAll('kbd')].map((key) => key.textContent)).toEqual(
        expect.arrayContaining(['F1', 'F2', 'F3', 'F9', 'Esc', 'Ctrl L', 'Alt 1…7', 'Ctrl P', 'Enter']),
      );
      expect(dialog.textContent).not.toMatch(/keys\.|%\{/);
      await fireEvent(dialog, new Event('cancel', { cancelable: true }));
      await waitFor(() => expect(screen.queryByTestId('keys-dialog')).toBeNull());
      unmount();
    }
  });
});

describe('what a section keeps', () => {
  it('is the choice in the stock; nothing is asked while nothing is other', async () => {
    await open();
    await click('inventory');
    await click('inventory-quarantine');
    emit(state(sample.unlocked, { data_as_of: '2026-11-22T04:40:00Z' }));
    await waitFor(() => expect(count('inventory')).toBe(3));
    asked.length = 0;
    emit(state(sample.unlocked, { data_as_of: '2026-11-22T04:41:00Z' }));
    emit(state(sample.unlocked, { data_as_of: '2026-11-22T04:42:00Z' }));
    await new Promise((go) => setTimeout(go, 20));
    expect(count('inventory')).toBe(0);
    emit(state(sample.unlocked, { data_changes: 3, data_as_of: '2026-11-22T04:42:00Z' }));
    await waitFor(() => expect(count('inventory')).toBe(1));
    // With the day alone expiries are other ones: it began at 19:00 UTC.
    emit(state(sample.unlocked, { data_changes: 3, data_as_of: '2026-11-22T18:59:00Z' }));
    emit(state(sample.unlocked, { data_changes: 3, data_as_of: '2026-11-22T19:00:00Z' }));
    await waitFor(() => expect(count('inventory')).toBe(2));
    await fireEvent.click((await screen.findAllByTestId('din'))[0] as HTMLElement);
    await screen.findByTestId('donation-card');
    await press('Escape');
    await waitFor(() =>
      expect(screen.getByTestId('inventory-quarantine').getAttribute('aria-pressed')).toBe('true'),
    );
    expect(asked.filter((one) => one.command === 'inventory').at(-1)?.args['filter']).toBe('quarantine');
  });
});

describe('a card that is older than the data', () => {
  it('says so and is read anew only when asked, for each look is recorded', async () => {
    await open();
    await click('donor-row');
    await screen.findByTestId('donor-card');
    emit(state(sample.unlocked, { data_as_of: '2026-11-22T04:42:00Z' }));
    await new Promise((go) => setTimeout(go, 20));
    expect(screen.queryByTestId('stale')).toBeNull();
    emit(state(sample.unlocked, { data_changes: 1 }));
    await screen.findByTestId('stale');
    expect(count('open_donor')).toBe(1);
    await click('stale-again');
    await waitFor(() => expect(screen.queryByTestId('stale')).toBeNull());
    expect(count('open_donor')).toBe(2);
    // What one comes back to is as old as it was.
    await fireEvent.click(screen.getAllByTestId('din')[0] as HTMLElement);
    await screen.findByTestId('donation-card');
    emit(state(sample.unlocked, { data_changes: 2 }));
    await screen.findByTestId('stale');
    await press('Escape');
    await screen.findByTestId('donor-card');
    expect(screen.getByTestId('stale')).toBeTruthy();
    expect(count('open_donor')).toBe(2);
  });
});

describe('a lookback that names nobody', () => {
  it('says why it is not printed', async () => {
    answer('lookback', ({ din }) => ({
      ...sample.lookback,
      din,
      donor_id: null,
      donor_name: null,
      further_donors: [],
      recipients: [],
      components: [],
    }));
    await toLookback();
    const button = screen.getByTestId('print');
    expect(button.getAttribute('aria-disabled')).toBe('true');
    const why = document.getElementById(button.getAttribute('aria-describedby') ?? '');
    expect(why?.textContent).toContain('ешкімнің аты жоқ');
    button.focus();
    expect(focused()).toBe(button);
    await fireEvent.click(button);
    expect(count('take_away')).toBe(0);
  });
});

describe('what takes long', () => {
  const never = () => new Promise(() => undefined);

  it.each([
    ['open_donor', () => click('donor-row')],
    ['inventory', () => click('inventory')],
    ['access_log', () => click('access-log')],
  ] as const)('%s is drawn as outlines after a moment', async (command, act) => {
    answer(command, never);
    await open();
    await act();
    expect(screen.queryByTestId('loading')).toBeNull();
    expect((await screen.findByTestId('loading')).textContent).toContain('Жүктеліп жатыр');
  });

  it('a donation, too', async () => {
    await open();
    await click('donor-row');
    await screen.findByTestId('donor-card');
    answer('open_donation', never);
    await fireEvent.click(screen.getAllByTestId('din')[0] as HTMLElement);
    await screen.findByTestId('loading');
  });
});

describe('the state', () => {
  it('that comes as an answer after a newer one is not shown', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((go) => (release = go));
    answer('get_state', () => held.then(() => state({ name: 'return', people: sample.people })));
    render(App);
    await waitFor(() => expect(count('get_state')).toBe(1));
    emit(state(sample.unlocked));
    await screen.findByTestId('donor-search');
    release?.();
    await new Promise((go) => setTimeout(go, 20));
    expect(screen.queryByTestId('person-select')).toBeNull();
    expect(screen.getByTestId('donor-search')).toBeTruthy();
  });
});
