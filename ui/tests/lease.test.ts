import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { answer, asked, emit, reset, state } from './backend';
import * as sample from './sample';
import App from '../src/App.svelte';
import type { PersonFacts, PersonRow, Screen, State } from '../src/lib/backend';

const calls = (command: string) => asked.filter((one) => one.command === command);
const readOnly = (sample.readOnly as Extract<Screen, { name: 'unlocked' }>).person;
const as = (person: Partial<PersonFacts>, more: Partial<State> = {}) =>
  state({ name: 'unlocked', person: { ...sample.unlocked.person, ...person } }, { language: 'ru', ...more });

async function open(first: State) {
  answer('get_state', () => first);
  answer('search_donors', () => ({ total: 0, rows: [], next: null }));
  render(App);
  await screen.findByTestId('donor-search');
}

beforeEach(reset);

describe('lease', () => {
  it('is silent for long, words from seven days, amber from three', async () => {
    await open(as({}));
    expect(screen.queryByTestId('lease-banner')).toBeNull();
    emit(as({ lease: 'soon', lease_days_left: 7 }));
    const banner = await screen.findByTestId('lease-banner');
    expect(banner.textContent).toContain('ещё 7 дн.');
    expect(banner.querySelector('.info')).toBeTruthy();
    emit(as({ lease: 'attention', lease_days_left: 3 }));
    await waitFor(() => expect(screen.getByTestId('lease-banner').querySelector('.warn')).toBeTruthy());
  });

  it('says in the read-only time how old the data are and what to do', async () => {
    await open(as({ ...readOnly, may_break_glass: false }, { data_as_of: '2026-11-01T04:00:00Z' }));
    const banner = screen.getByTestId('lease-banner');
    expect(banner.textContent).toContain('Данные пациентов на: 01.11.2026 09:00');
    expect(screen.queryByTestId('break-glass')).toBeNull();
    expect(screen.getByTestId('status-bar').textContent).toContain('Только чтение');
    await fireEvent.click(screen.getByTestId('lease-courier'));
    await screen.findByTestId('courier-export');
  });

  it('is lifted only with a reason, and then says by whom', async () => {
    await open(as(readOnly));
    await fireEvent.click(screen.getByTestId('break-glass'));
    const reason = await screen.findByTestId('break-glass-reason');
    const go = screen.getByTestId('break-glass-open');
    for (const bad of ['', '  short    ', 'x'.repeat(201)]) {
      await fireEvent.input(reason, { target: { value: bad } });
      await fireEvent.click(go);
    }
    expect(calls('break_glass')).toHaveLength(0);
    await fireEvent.input(reason, { target: { value: ' needed at night ' } });
    await fireEvent.click(go);
    expect(calls('break_glass')[0]?.args).toEqual({ reason: 'needed at night' });
    await waitFor(() => expect(screen.queryByTestId('break-glass-dialog')).toBeNull());
    emit(as({ ...readOnly, mode: 'break-glass' }));
    await screen.findByText('Экстренный доступ открыт: A. Test');
  });

  it('keeps the reason that was typed while its dialog is closed, and forgets it once it was used', async () => {
    await open(as(readOnly));
    await fireEvent.click(screen.getByTestId('break-glass'));
    await fireEvent.input(await screen.findByTestId('break-glass-reason'), {
      target: { value: 'needed at night' },
    });
    await fireEvent(screen.getByTestId('break-glass-dialog'), new Event('cancel', { cancelable: true }));
    await waitFor(() => expect(screen.queryByTestId('break-glass-dialog')).toBeNull());
    await fireEvent.click(screen.getByTestId('break-glass'));
    expect((await screen.findByTestId<HTMLInputElement>('break-glass-reason')).value).toBe('needed at night');
    answer('break_glass', () => {
      throw { code: 'disk-full', retry_after_seconds: null } as unknown as Error;
    });
    await fireEvent.click(screen.getByTestId('break-glass-open'));
    expect((await screen.findByTestId('error')).dataset['code']).toBe('disk-full');
    expect(document.activeElement).toBe(screen.getByTestId('break-glass-reason'));
    answer('break_glass', () => null);
    await fireEvent.click(screen.getByTestId('break-glass-open'));
    await waitFor(() => expect(screen.queryByTestId('break-glass-dialog')).toBeNull());
    await fireEvent.click(screen.getByTestId('break-glass'));
    expect((await screen.findByTestId<HTMLInputElement>('break-glass-reason')).value).toBe('');
  });

  it('that is over names the ways back', async () => {
    answer('get_state', () => state({ name: 'return', people: sample.people }, { language: 'ru' }));
    answer('sign_in', () => {
      throw { code: 'grant-expired', retry_after_seconds: null } as unknown as Error;
    });
    render(App);
    await fireEvent.input(await screen.findByTestId('passphrase'), { target: { value: 'rare words' } });
    await fireEvent.click(screen.getByTestId('sign-in'));
    await fireEvent.click(await screen.findByTestId('ended-ways'));
    expect(screen.getByTestId('sync-panel')).toBeTruthy();
    expect(screen.getByTestId('courier-export')).toBeTruthy();
    // The data are closed: nothing is said of them.
    expect(screen.queryByTestId('sync-data')).toBeNull();
  });

  it('that is over goes through a phone, too', async () => {
    const over = { ...sample.people[0], offline_until: '2020-01-01T00:00:00Z' };
    answer('get_state', () => state({ name: 'return', people: [over as PersonRow] }, { language: 'ru' }));
    answer('show_qr', () => ({ svg: '<svg xmlns="x"/>', url: 'https://server/relay#x' }));
    answer('sign_in', () => {
      throw { code: 'grant-expired', retry_after_seconds: null } as unknown as Error;
    });
    render(App);
    await fireEvent.input(await screen.findByTestId('passphrase'), { target: { value: 'rare words' } });
    await fireEvent.click(screen.getByTestId('sign-in'));
    expect((await screen.findByTestId('error')).textContent).toContain('QR');
    await fireEvent.click(screen.getByTestId('ended-ways'));
    await fireEvent.click(screen.getByTestId('show-qr'));
    expect(calls('show_qr')[0]?.args).toEqual({ personId: 'aa' });
  });
});

describe('idle', () => {
  afterEach(() => vi.useRealTimers());

  it('warns a minute before, counts down, and goes on when asked', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    await open(as({}, { idle_lock_minutes: 10 }));
    await vi.advanceTimersByTimeAsync(8.9 * 60_000);
    expect(screen.queryByTestId('idle-warning')).toBeNull();
    await vi.advanceTimersByTimeAsync(20_000);
    await screen.findByTestId('idle-warning');
    const before = calls('touch').length;
    expect(screen.getByTestId('idle-seconds').textContent).toMatch(/: [45]\d с/);
    await fireEvent.click(screen.getByTestId('idle-continue'));
    expect(calls('touch')).toHaveLength(before + 1);
    await waitFor(() => expect(screen.queryByTestId('idle-warning')).toBeNull());
  });

  it('is gone with the lock', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    await open(as({}, { idle_lock_minutes: 10 }));
    await vi.advanceTimersByTimeAsync(9.5 * 60_000);
    await screen.findByTestId('idle-warning');
    emit(state({ name: 'return', people: sample.people }, { language: 'ru' }));
    await waitFor(() => expect(screen.queryByTestId('idle-warning')).toBeNull());
  });
});
