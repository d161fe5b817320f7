// Scans in the open app: what they open, what they say, and that nobody's typing is lost.
import { fireEvent, render, screen, waitFor, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { answer, asked, reset, state } from './backend';
import { recipientCard, recipientRow } from './blood';
import * as sample from './sample';
import App from '../src/App.svelte';
import type { Lang } from '../src/lib/backend';
import { dinOf } from '../src/lib/format';
import { beep } from '../src/lib/sound';

vi.mock('../src/lib/sound', () => ({ beep: vi.fn() }));

const DIN = 'KZ00126000001V';
let clock = 0;

/** Keys on the focused element, `gap` milliseconds apart; what a field shows depends on the layout, `typed`. */
async function keys(codes: string[], gap: number, typed = '') {
  const at = (document.activeElement ?? document.body) as HTMLElement;
  let passed = true;
  for (const [index, code] of codes.entries()) {
    clock += gap;
    const key = code === 'Enter' ? 'Enter' : (typed[index] ?? 'x');
    const shiftKey = code.startsWith('Key');
    const event = new KeyboardEvent('keydown', { code, key, shiftKey, bubbles: true, cancelable: true });
    Object.defineProperty(event, 'timeStamp', { value: clock });
    passed = at.dispatchEvent(event);
    if (passed && at instanceof HTMLInputElement && code !== 'Enter') {
      at.value += key;
      await fireEvent.input(at);
    }
  }
  return passed;
}

const codesOf = (text: string) => [...text].map((char) => (/\d/.test(char) ? `Digit${char}` : `Key${char}`));
const scan = (text: string, typed?: string) => keys([...codesOf(text), 'Enter'], 8, typed);

async function open(language: Lang = 'kk') {
  answer('get_state', () => state(sample.unlocked, { language }));
  render(App);
  return screen.findByTestId<HTMLInputElement>('donor-search');
}

beforeEach(() => {
  reset();
  clock += 10_000;
  answer('search_donors', () => ({ total: 1, rows: [sample.row], next: null }));
  answer('open_donor', () => sample.card);
  answer('search_recipients', () => ({ total: 1, rows: [recipientRow], next: null }));
  answer('open_recipient', () => recipientCard);
});

const read = () => asked.filter((one) => one.command === 'read_scan').map((one) => one.args['text']);

describe('a scan', () => {
  it('opens the donor or the recipient wherever the focus is', async () => {
    await open();
    answer('read_scan', () => ({ kind: 'donor', id: 'd-1' }));
    screen.getByTestId('sync-screen').focus();
    await fireEvent.click(screen.getByTestId('sync-screen'));
    await scan('850715400129');
    await screen.findByTestId('donor-card');
    answer('read_scan', () => ({ kind: 'recipient', id: 'r-1' }));
    await scan('900101300017');
    await screen.findByTestId('recipient-card');
    expect(read()).toEqual(['850715400129', '900101300017']);
  });

  it('of a donation opens it above the section, which stays as it was', async () => {
    const field = await open();
    await fireEvent.input(field, { target: { value: 'кас' } });
    answer('read_scan', () => ({ kind: 'donation', din: sample.donation.din }));
    answer('open_donation', () => sample.donation);
    await scan(DIN);
    const card = await screen.findByTestId('donation-card');
    expect(asked.filter((one) => one.command === 'open_donation').map((one) => one.args['din'])).toEqual([
      sample.donation.din,
    ]);
    await waitFor(() => expect(document.activeElement).toBe(card.querySelector('h1')));
    await fireEvent.keyDown(window, { code: 'Escape' });
    expect((await screen.findByTestId<HTMLInputElement>('donor-search')).value).toBe('кас');
  });

  it('is read off the physical keys, and its field gets back what stood there', async () => {
    const field = await open();
    answer('read_scan', () => ({ kind: 'donor', id: 'd-1' }));
    field.focus();
    await fireEvent.input(field, { target: { value: 'кас' } });
    // The Kazakh layout writes letters on the row of digits.
    const passed = await scan('850715400129', 'һөғғ"ңққ"әі');
    expect(passed).toBe(false);
    await screen.findByTestId('donor-card');
    expect(read()).toEqual(['850715400129']);
    expect(field.value).toBe('кас');
  });

  it('is no scan when typed: every key stays and Enter does what it does', async () => {
    const field = await open();
    await screen.findByTestId('donor-row');
    field.focus();
    expect(await keys([...codesOf(DIN.slice(0, 8)), 'Enter'], 150, DIN)).toBe(false);
    expect(field.value).toBe(DIN.slice(0, 8));
    expect(read()).toEqual([]);
    // A text without digits in a field is never a number, however fast it came.
    field.value = '';
    await keys([...codesOf('KASYMOVA'), 'Enter'], 5, 'касымова');
    expect(field.value).toBe('касымова');
    expect(read()).toEqual([]);
  });

  it('leaves what somebody types while it is read', async () => {
    const field = await open();
    let release: (() => void) | undefined;
    const held = new Promise<void>((go) => (release = go));
    answer('read_scan', () => held.then(() => ({ kind: 'donation', din: sample.donation.din })));
    answer('open_donation', () => sample.donation);
    field.focus();
    await fireEvent.input(field, { target: { value: 'кас' } });
    await scan('850715400129', '850715400129');
    await fireEvent.input(field, { target: { value: `${field.value}ым` } });
    release?.();
    await screen.findByTestId('donation-card');
    await fireEvent.keyDown(window, { code: 'Escape' });
    expect((await screen.findByTestId<HTMLInputElement>('donor-search')).value).toBe('касым');
  });

  it('under a layout with dead keys gives its field back whole', async () => {
    const field = await open();
    answer('read_scan', () => ({ kind: 'donor', id: 'd-1' }));
    field.focus();
    await fireEvent.input(field, { target: { value: 'abc' } });
    for (const [index, code] of [...codesOf('850715400129'), 'Enter'].entries()) {
      clock += 8;
      const key = code === 'Enter' ? code : index === 3 ? 'Dead' : code.slice(-1);
      const event = new KeyboardEvent('keydown', { code, key, bubbles: true, cancelable: true });
      Object.defineProperty(event, 'timeStamp', { value: clock });
      if (!field.dispatchEvent(event) || key.length > 1) continue;
      field.value += key;
      await fireEvent.input(field);
    }
    await screen.findByTestId('donor-card');
    expect(field.value).toBe('abc');
  });

  it('the same within a second counts once', async () => {
    await open();
    answer('read_scan', () => ({ kind: 'donor', id: 'd-1' }));
    await scan('850715400129');
    await scan('850715400129');
    await screen.findByTestId('donor-card');
    expect(read()).toHaveLength(1);
  });

  it('never listens to a secret', async () => {
    await open();
    const secret = document.createElement('input');
    secret.type = 'password';
    document.body.append(secret);
    secret.focus();
    await scan('850715400129');
    // Shown as text it is a secret still.
    secret.type = 'text';
    secret.autocomplete = 'current-password';
    await scan('850715400129');
    expect(read()).toEqual([]);
    secret.remove();
  });

  it('whose number belongs to several leads to the search', async () => {
    const field = await open();
    answer('read_scan', ({ text }) => ({ kind: 'several', text, donors: ['d-1', 'd-2'], recipients: [] }));
    await scan('850715400129');
    await waitFor(() => expect(field.value).toBe('850715400129'));
    answer('read_scan', ({ text }) => ({ kind: 'several', text, donors: [], recipients: ['r-1', 'r-2'] }));
    await scan('900101300017');
    await waitFor(() =>
      expect(
        asked.filter((one) => one.command === 'search_recipients').map((one) => one.args['query']),
      ).toContain('900101300017'),
    );
    expect(screen.queryByTestId('donor-search')).toBeNull();
  });

  it('of a donor who is a recipient too asks which is meant', async () => {
    const field = await open();
    answer('read_scan', ({ text }) => ({
      kind: 'several',
      text,
      donors: ['d-1'],
      recipients: ['r-1', 'r-2'],
    }));
    await scan('850715400129');
    const donor = await screen.findByTestId('scan-donor');
    await waitFor(() => expect(document.activeElement).toBe(donor));
    expect(field.value).toBe('');
    // One has a card, and it is opened.
    await fireEvent.click(donor);
    await screen.findByTestId('donor-card');
    expect(screen.queryByTestId('scan-note')).toBeNull();
    // More have a list.
    await scan('900101300017');
    await fireEvent.click(await screen.findByTestId('scan-recipient'));
    await waitFor(() =>
      expect(
        asked.filter((one) => one.command === 'search_recipients').map((one) => one.args['query']),
      ).toContain('900101300017'),
    );
    // Nothing is chosen with Esc.
    await scan('850715400129');
    await screen.findByTestId('scan-note');
    await fireEvent.keyDown(window, { code: 'Escape' });
    expect(screen.queryByTestId('scan-note')).toBeNull();
  });

  it.each<Lang>(['kk', 'ru'])('that cannot be used says so in %s, as it was read', async (language) => {
    const field = await open(language);
    answer('read_scan', ({ text }) => ({ kind: 'wrong-check', text }));
    field.focus();
    await scan('KZ00126000001W', 'KZ00126000001W');
    const note = await screen.findByTestId('scan-note');
    expect(note.getAttribute('role')).toBe('alert');
    expect(note.textContent).toContain('KZ00126000001W');
    expect(within(note).getByTestId('error').dataset['code']).toBe('scan-wrong-check');
    // Not understood, so nothing is taken away: a key of the person may be among it.
    expect(field.value).toBe('KZ00126000001W');
    await fireEvent.keyDown(field, { code: 'Escape' });
    await waitFor(() => expect(screen.queryByTestId('scan-note')).toBeNull());
    for (const expected of ['number', 'donation-number', 'whole', 'one-label', 'known-iin']) {
      answer('read_scan', ({ text }) => ({ kind: 'unknown', text, expected }));
      await scan(`123456${String(expected.length).padStart(2, '0')}`);
      await waitFor(() => expect(screen.getByTestId('scan-note').dataset['kind']).toBe('unknown'));
      expect(screen.getByTestId('error').dataset['code']).toBe('scan-unknown');
      expect(screen.getByTestId('scan-note').textContent).not.toMatch(/scan\.|%\{/);
    }
    expect(screen.queryByTestId('donor-card')).toBeNull();
  });

  it.each<Lang>(['kk', 'ru'])(
    'of a donation that is not here says its number in %s, and is heard',
    async (language) => {
      const heard = vi.mocked(beep);
      heard.mockClear();
      await open(language);
      let refuse: (() => void) | undefined;
      const held = new Promise<void>((go) => (refuse = go));
      answer('read_scan', () => ({ kind: 'donation', din: sample.donation.din }));
      answer('open_donation', () =>
        held.then(() => {
          throw { code: 'donation-unknown', retry_after_seconds: null } as unknown as Error;
        }),
      );
      await scan(DIN);
      await screen.findByTestId('back');
      const heading = screen.getByRole('heading', { level: 1 });
      await waitFor(() => expect(document.activeElement).toBe(heading));
      expect(heading.textContent).toContain(dinOf(sample.donation.din));
      expect(heading.textContent).not.toContain('donation.');
      refuse?.();
      expect((await screen.findByTestId('error')).dataset['code']).toBe('donation-unknown');
      expect(document.activeElement).toBe(heading);
      await waitFor(() => expect(heard).toHaveBeenCalledTimes(1));
    },
  );

  it('that the shell refuses is told with its reason', async () => {
    await open();
    answer('read_scan', () => {
      throw { code: 'patient-locked', retry_after_seconds: null } as unknown as Error;
    });
    await scan('850715400129');
    expect((await screen.findByTestId('error')).dataset['code']).toBe('patient-locked');
  });
});
