import { fireEvent, render, screen } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';

import { answer, asked, emit, reset, state } from './backend';
import * as sample from './sample';
import App from '../src/App.svelte';
import type { Progress, State } from '../src/lib/backend';

const stored: Progress = {
  stored_at: '2026-11-22T04:00:00Z',
  sent_at: null,
  receipt_verified_at: null,
  unlocked: false,
  attempts: 0,
  next_attempt_at: null,
  error: null,
  login: 'a.test',
  person_id: 'aa',
  statement_id: 'ab'.repeat(32),
  signed_at: '2026-11-22T04:00:00Z',
  document: { version: 1, sha256: 'cd'.repeat(32), effective_from: '2026-01-01T00:00:00Z' },
  needs_passphrase: false,
};
const sent = { ...stored, sent_at: '2026-11-22T04:00:01Z' };
const verified = { ...sent, receipt_verified_at: '2026-11-22T04:00:02Z' };

function at(progress: Progress, more: Partial<State> = {}): State {
  return state({ name: 'registering', progress }, { language: 'ru', ...more });
}

async function open(first: State) {
  answer('get_state', () => first);
  render(App);
  return screen.findByTestId('sync-status');
}

const phases = (list: HTMLElement) =>
  [...list.querySelectorAll('li')].map((one) =>
    one.classList.contains('done') ? 'done' : one.classList.contains('current') ? 'now' : 'next',
  );

beforeEach(reset);

describe('registering', () => {
  it('follows the phases as the shell tells of them', async () => {
    const list = await open(at(stored));
    expect(phases(list)).toEqual(['done', 'now', 'next', 'next']);
    emit(at(sent));
    await screen.findByText('Проверяем квитанцию');
    expect(phases(list)).toEqual(['done', 'done', 'now', 'next']);
    emit(at(verified));
    await screen.findByText('Квитанция проверена');
    expect(phases(list)).toEqual(['done', 'done', 'done', 'now']);
    expect(screen.queryByTestId('sync-retry')).toBeNull();
  });

  it('says without a connection what is safe, when it tries again, and tries at once when asked', async () => {
    const waiting = { ...stored, attempts: 3, next_attempt_at: '2026-11-22T04:05:00Z' };
    const list = await open(at(waiting, { connection: 'offline' }));
    expect(screen.getByText('Нет связи с центральным сервером')).toBeTruthy();
    expect(list.textContent).toContain('Попыток: 3.');
    expect(list.textContent).toContain('09:05:00');
    await fireEvent.click(screen.getByTestId('sync-retry'));
    expect(asked.some((one) => one.command === 'sync_now')).toBe(true);
  });

  it('shows the code of what went wrong', async () => {
    await open(at({ ...sent, error: { code: 'receipt-invalid', retry_after_seconds: null } }));
    expect(screen.getByTestId('error').getAttribute('data-code')).toBe('receipt-invalid');
    expect(screen.getByTestId('sync-retry')).toBeTruthy();
  });

  it('saves the proof only once the receipt was verified', async () => {
    answer('save_proof', () => ({ path: 'acceptance.cose' }));
    await open(at(sent));
    const save = screen.getByTestId('save-proof');
    expect(save.getAttribute('aria-disabled')).toBe('true');
    await fireEvent.click(save);
    expect(asked.some((one) => one.command === 'save_proof')).toBe(false);
    emit(at(verified));
    await screen.findByText('Квитанция проверена');
    await fireEvent.click(save);
    await screen.findByText('acceptance.cose');
    expect(asked.find((one) => one.command === 'save_proof')?.args).toEqual({ personId: 'aa' });
  });

  it('saves what travels only as a file, and says where it lies', async () => {
    answer('courier_export', () => ({ path: '/files/out.ibpack', items: 1 }));
    const item = {
      id: 'w-1',
      kind: 'acceptance' as const,
      created_at: '2026-11-01T04:00:00Z',
      attempts: 0,
      code: 'needs-courier',
    };
    const sync = { ...sample.sync, wedged: [item], alarm: null };
    await open(at(sent, { sync }));
    expect(screen.queryByTestId('retry-item')).toBeNull();
    await fireEvent.click(screen.getByTestId('wedged-save'));
    await screen.findByText('/files/out.ibpack');
  });

  it('asks for the passphrase where the app was started again', async () => {
    await open(at({ ...verified, needs_passphrase: true }));
    await fireEvent.click(screen.getByText('Перейти ко входу'));
    expect(asked.some((one) => one.command === 'back_to_people')).toBe(true);
  });
});
