import { fireEvent, render, screen, waitFor, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';

import { answer, asked, emit, reset, state } from './backend';
import * as sample from './sample';
import App from '../src/App.svelte';
import type { State, SyncFacts } from '../src/lib/backend';

const at = (more: Partial<State> = {}) =>
  state(sample.unlocked, { language: 'ru', sync: sample.sync, ...more });
const calls = (command: string) => asked.filter((one) => one.command === command);
const quiet: SyncFacts = {
  ...sample.sync,
  phase: 'idle',
  queues: sample.sync.queues.map((queue) => ({ ...queue, waiting: 0, wedged: 0 })),
  wedged: [],
  next_attempt_at: null,
  delayed: false,
};

async function open(first: State) {
  answer('get_state', () => first);
  answer('search_donors', () => ({ total: 0, rows: [], next: null }));
  render(App);
  await fireEvent.click(await screen.findByTestId('sync-screen'));
  return screen.findByTestId('sync-screen');
}

const choose = (bytes: number) =>
  fireEvent.change(screen.getByTestId('courier-import'), {
    target: { files: [new File([new Uint8Array(bytes)], 'answer.ibpack')] },
  });

beforeEach(reset);

describe('sync', () => {
  it('shows the queues, the last success, the next attempt, the age of the data and the lease', async () => {
    const shown = await open(at({ data_as_of: '2026-11-22T04:41:00Z' }));
    const rows = screen.getAllByTestId('queue').map((row) => row.textContent);
    expect(rows).toHaveLength(4);
    expect(rows[3]).toContain('37');
    const lasts = screen.getAllByTestId('queue-last').map((cell) => cell.textContent.trim());
    expect(lasts).toEqual(['07.10.2026 09:00', 'ещё не было', 'ещё не было', '22.11.2026 09:41']);
    const files = screen.getAllByTestId('courier-file').map((file) => file.textContent);
    expect(files[0]).toContain('ответ ещё не прочитан');
    expect(files[1]).toContain('ответ прочитан: 09.11.2026 12:30');
    expect(screen.getByTestId('sync-last').textContent).toContain('22.11.2026 09:41');
    expect(screen.getByTestId('sync-next').textContent).toContain('09:51');
    expect(screen.getByTestId('sync-lease').textContent).toContain('ещё 30 дн.');
    expect(shown.textContent).not.toContain('подтверждено');
    expect(screen.getByTestId('bar-sync').textContent).toContain('Нужно действие: 3');
  });

  it('warns in the bar of what waits only where it does not go by itself', async () => {
    const queues = quiet.queues.map((queue) => ({ ...queue, waiting: 1 }));
    await open(at({ connection: 'online', sync: { ...quiet, phase: 'idle', queues } }));
    const bar = () => screen.getByTestId('bar-sync');
    expect(bar().textContent).toContain('Ждут отправки: 4');
    expect(bar().classList).not.toContain('warn');
    emit(at({ connection: 'offline', sync: { ...quiet, phase: 'idle', queues } }));
    await waitFor(() => expect(bar().classList).toContain('warn'));
    emit(at({ connection: 'online', sync: { ...quiet, phase: 'waiting', queues } }));
    await waitFor(() => expect(bar().classList).toContain('warn'));
  });

  it('says that all is confirmed only when nothing waits, is wedged or under way', async () => {
    await open(at({ sync: quiet }));
    const phase = () => screen.getByTestId('sync-phase').textContent;
    expect(phase()).toContain('Всё отправлено и подтверждено');
    for (const busy of ['connecting', 'sending', 'receiving'] as const) {
      emit(at({ sync: { ...quiet, phase: busy } }));
      await waitFor(() => expect(phase()).not.toContain('подтверждено'));
    }
    const queues = quiet.queues.map((queue) => ({ ...queue, waiting: 1 }));
    emit(at({ sync: { ...quiet, queues } }));
    await waitFor(() => expect(phase()).toContain('Ждёт отправки'));
    emit(at({ sync: { ...quiet, last_success: null } }));
    await waitFor(() => expect(phase()).toContain('Отправлять нечего'));
  });

  it('offers one button for each wedged item', async () => {
    await open(at());
    const items = screen.getAllByTestId('wedged-item');
    expect(items[0]?.textContent).toContain('Срок кода регистрации истёк');
    await fireEvent.click(screen.getByTestId('retry-item'));
    expect(calls('retry_item')[0]?.args).toEqual({ id: 'w-3' });
    await fireEvent.click(screen.getByTestId('wedged-save'));
    expect(calls('courier_export')).toHaveLength(1);
  });

  it('leads from a code that no longer counts to a new one, and does not offer to send the old one again', async () => {
    await open(at());
    const [first] = screen.getAllByTestId('wedged-item');
    const buttons = within(first as HTMLElement).getAllByRole('button');
    expect(buttons.map((one) => one.textContent.trim())).toEqual(['Ввести новый код']);
    // The session would end: that is asked first.
    await fireEvent.click(screen.getByTestId('new-code'));
    const dialog = await screen.findByTestId('new-code-dialog');
    expect(dialog.textContent).toContain('ваш сеанс завершится');
    expect(calls('open_agreement')).toHaveLength(0);
    await fireEvent.click(within(dialog).getByText('Отмена'));
    await waitFor(() => expect(screen.queryByTestId('new-code-dialog')).toBeNull());
    expect(calls('open_agreement')).toHaveLength(0);
    await fireEvent.click(screen.getByTestId('new-code'));
    await fireEvent.click(await screen.findByTestId('new-code-go'));
    expect(calls('open_agreement')).toHaveLength(1);
    expect(calls('retry_item')).toHaveLength(0);
  });

  it('says why it cannot synchronise, until it is tried again', async () => {
    answer('sync_now', () => {
      throw { code: 'disk-full', retry_after_seconds: null } as unknown as Error;
    });
    await open(at({ sync: quiet }));
    for (const ask of [
      () => fireEvent.click(screen.getByTestId('sync-retry')),
      () => fireEvent.keyDown(window, { code: 'F9' }),
    ]) {
      await ask();
      const error = await screen.findByTestId('error');
      expect(error.dataset['code']).toBe('disk-full');
      expect(error.textContent).not.toContain('Подпись');
      answer('sync_now', () => undefined);
      await fireEvent.keyDown(window, { code: 'F9' });
      await waitFor(() => expect(screen.queryByTestId('error')).toBeNull());
      answer('sync_now', () => {
        throw { code: 'disk-full', retry_after_seconds: null } as unknown as Error;
      });
    }
  });

  it('tells of records that could not be read, and of none where there are none', async () => {
    await open(at({ sync: quiet }));
    expect(screen.queryByTestId('left-out')).toBeNull();
    emit(at({ sync: quiet, left_out: 3 }));
    const told = (await screen.findByTestId('left-out')).textContent;
    expect(told).toContain('Непрочитанных записей: 3');
    expect(told).toContain('Сообщите администратору');
  });

  it('synchronises by the button and by F9, and is reached by its number', async () => {
    await open(at());
    await fireEvent.click(screen.getByTestId('sync-retry'));
    await fireEvent.keyDown(window, { code: 'F9' });
    expect(calls('sync_now')).toHaveLength(2);
    await fireEvent.keyDown(window, { code: 'Digit1', altKey: true });
    await waitFor(() => expect(screen.queryByTestId('sync-retry')).toBeNull());
    await fireEvent.keyDown(window, { code: 'Digit5', altKey: true });
    await screen.findByTestId('sync-retry');
  });

  it('tells of a server that was restored', async () => {
    await open(at({ sync: { ...quiet, alarm: 'server-restored' } }));
    expect(screen.getByTestId('sync-alarm').textContent).toContain('восстановлен');
  });
});

describe('courier', () => {
  it('saves the file and says that nothing is confirmed by that', async () => {
    answer('courier_export', () => ({ path: '/files/out.ibpack', items: 39 }));
    await open(at());
    await fireEvent.click(screen.getByTestId('courier-export'));
    await screen.findByText('/files/out.ibpack');
    expect(screen.getByTestId('courier-result').textContent).toContain('подтвердит только ответ');
  });

  it('reads the answer in pieces and says what it brought', async () => {
    answer('upload_end', () => ({
      kind: 'answer',
      receipts: 2,
      stored: 0,
      refused: 1,
      grants: 1,
      revoked: 0,
      has_patients: true,
    }));
    await open(at());
    await choose(1024 * 1024 + 1);
    const result = screen.getByTestId('courier-result');
    await waitFor(() => expect(result.textContent).toContain('Подтверждено квитанциями: 2'));
    expect(calls('upload_piece')).toHaveLength(2);
    expect(result.textContent).toContain('Не принято сервером: 1');
    expect(result.textContent).toContain('Данные пациентов обновлены.');
    expect(result.textContent).not.toContain('Отозвано');
  });

  it('shows where the answer to a forwarded file lies', async () => {
    answer('upload_end', () => ({ kind: 'forwarded', path: '/files/answer.ibpack' }));
    await open(at());
    await choose(1);
    await screen.findByText('/files/answer.ibpack');
  });

  it('shows how far a file is read, and stops when asked', async () => {
    await open(at({ reading: { done: 1, total: 4 } }));
    expect(screen.getByRole<HTMLProgressElement>('progressbar').value).toBe(25);
    await fireEvent.click(screen.getByTestId('courier-cancel'));
    expect(calls('upload_cancel')).toHaveLength(1);
  });

  it('takes no other file while one is read, and keeps the focus', async () => {
    answer('upload_begin', () => new Promise(() => undefined));
    await open(at());
    const field = screen.getByTestId('courier-import');
    expect(await fireEvent.click(field)).toBe(true);
    field.focus();
    await choose(8);
    expect(field.getAttribute('aria-disabled')).toBe('true');
    expect(await fireEvent.click(field)).toBe(false);
    expect(document.activeElement).toBe(field);
  });

  it('shows why a file was refused', async () => {
    answer('upload_end', () => {
      throw { code: 'courier-other-device', retry_after_seconds: null } as unknown as Error;
    });
    await open(at());
    await choose(1);
    const error = await screen.findByTestId('error');
    expect(error.dataset['code']).toBe('courier-other-device');
  });
});
