import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { answer, asked, reset, state } from './backend';
import App from '../src/App.svelte';
import type { PersonRow } from '../src/lib/backend';

const people: PersonRow[] = [
  {
    person_id: 'aa',
    login: 'a.test',
    name: 'A. Test',
    registered: true,
    revoked: false,
    offline_until: '2099-01-01T00:00:00Z',
    read_only_until: '2099-01-08T00:00:00Z',
    last_sign_in: '2026-11-22T04:00:00Z',
  },
  {
    person_id: 'bb',
    login: 'b.test',
    name: null,
    registered: false,
    revoked: false,
    offline_until: null,
    read_only_until: null,
    last_sign_in: null,
  },
  {
    person_id: 'cc',
    login: 'c.test',
    name: 'C. Test',
    registered: true,
    revoked: false,
    offline_until: '2020-01-01T00:00:00Z',
    read_only_until: '2020-01-08T00:00:00Z',
    last_sign_in: null,
  },
];

async function open() {
  answer('get_state', () => state({ name: 'return', people }, { language: 'ru' }));
  render(App);
  return screen.findByTestId('person-select');
}

const row = (list: HTMLElement, login: string) =>
  list.querySelector<HTMLElement>(`[data-login="${login}"]`) as HTMLElement;
const field = () => screen.getByTestId<HTMLInputElement>('passphrase');

beforeEach(reset);
afterEach(() => vi.useRealTimers());

describe('return', () => {
  it('chooses the first person and says how each one stands', async () => {
    const list = await open();
    expect(row(list, 'a.test').getAttribute('aria-checked')).toBe('true');
    expect(row(list, 'a.test').textContent).toContain('22.11.2026 09:00');
    expect(row(list, 'b.test').textContent).toContain('ждёт регистрации');
    expect(row(list, 'c.test').textContent).toContain('доступ истёк');
  });

  it('signs in whoever was chosen, and keeps no passphrase', async () => {
    const list = await open();
    await fireEvent.input(field(), { target: { value: 'words of another person' } });
    await fireEvent.click(row(list, 'c.test'));
    expect(field().value).toBe('');
    await fireEvent.click(screen.getByTestId('sign-in'));
    expect(asked.some((one) => one.command === 'sign_in')).toBe(false);
    await fireEvent.input(field(), { target: { value: 'rare words stand here' } });
    await fireEvent.click(screen.getByTestId('sign-in'));
    expect(asked.find((one) => one.command === 'sign_in')?.args).toEqual({
      personId: 'cc',
      passphrase: 'rare words stand here',
    });
    await waitFor(() => expect(field().value).toBe(''));
  });

  it('waits as long as the shell says', async () => {
    answer('sign_in', () => {
      throw { code: 'passphrase-wait', retry_after_seconds: 8 } as unknown as Error;
    });
    await open();
    const signIn = async () => {
      await fireEvent.input(field(), { target: { value: 'wrong words here' } });
      await fireEvent.click(screen.getByTestId('sign-in'));
    };
    await signIn();
    const error = await screen.findByTestId('error');
    expect(error.textContent).toContain('8 с');
    expect(screen.getByTestId('sign-in').getAttribute('aria-disabled')).toBe('true');
    await signIn();
    expect(asked.filter((one) => one.command === 'sign_in')).toHaveLength(1);
  });

  it('keeps the delay to whom it belongs, and is silent when it is over', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    answer('sign_in', ({ personId }) => {
      if (personId === 'aa') throw { code: 'passphrase-wait', retry_after_seconds: 8 } as unknown as Error;
    });
    const list = await open();
    const signIn = async () => {
      await fireEvent.input(field(), { target: { value: 'some words here' } });
      await fireEvent.click(screen.getByTestId('sign-in'));
    };
    const isClosed = () => screen.getByTestId('sign-in').getAttribute('aria-disabled') === 'true';
    await signIn();
    expect((await screen.findByTestId('error')).textContent).toContain('8 с');
    // A colleague waits for nobody.
    await fireEvent.click(row(list, 'c.test'));
    expect(screen.queryByTestId('error')).toBeNull();
    expect(isClosed()).toBe(false);
    await signIn();
    expect(asked.filter((one) => one.command === 'sign_in').map((one) => one.args['personId'])).toEqual([
      'aa',
      'cc',
    ]);
    // Back again it is the same delay, as far as it is by now.
    await vi.advanceTimersByTimeAsync(3000);
    await fireEvent.click(row(list, 'a.test'));
    expect(screen.getByTestId('error').textContent).toMatch(/: [345] с/);
    expect(isClosed()).toBe(true);
    await vi.advanceTimersByTimeAsync(6000);
    expect(screen.queryByTestId('error')).toBeNull();
    expect(isClosed()).toBe(false);
  });

  it('says that the read-only week is one, and what is over', async () => {
    const day = 86_400_000;
    const at = (days: number) => new Date(Date.now() + days * day).toISOString();
    const [first] = people as [PersonRow];
    const week = { ...first, offline_until: at(-2), read_only_until: at(4.5) };
    const over = {
      ...first,
      person_id: 'dd',
      login: 'd.test',
      offline_until: at(-9),
      read_only_until: at(-2),
    };
    answer('get_state', () => state({ name: 'return', people: [week, over] }, { language: 'ru' }));
    render(App);
    const list = await screen.findByTestId('person-select');
    expect(row(list, 'a.test').textContent).toContain('Только чтение: ещё 5 дн.');
    expect(row(list, 'a.test').textContent).not.toContain('истёк');
    expect(row(list, 'd.test').textContent).toContain('доступ истёк');
  });

  it('is chosen from by the arrow keys, round and round, and only one row is a stop of Tab', async () => {
    const list = await open();
    const chosen = () => list.querySelector<HTMLElement>('[aria-checked="true"]');
    row(list, 'a.test').focus();
    for (const [code, login] of [
      ['ArrowDown', 'b.test'],
      ['ArrowDown', 'c.test'],
      ['ArrowDown', 'a.test'],
      ['ArrowUp', 'c.test'],
      ['ArrowUp', 'b.test'],
    ] as const) {
      await fireEvent.input(field(), { target: { value: 'words of another person' } });
      await fireEvent.keyDown(document.activeElement as HTMLElement, { code });
      expect(chosen()?.dataset['login']).toBe(login);
      expect(document.activeElement).toBe(chosen());
      expect(field().value).toBe('');
      expect([...list.querySelectorAll('[tabindex="0"]')]).toEqual([chosen()]);
    }
    await fireEvent.keyDown(document.activeElement as HTMLElement, { code: 'KeyA' });
    expect(chosen()?.dataset['login']).toBe('b.test');
  });

  it('lets a new person begin', async () => {
    await open();
    await fireEvent.click(screen.getByText('Меня нет в списке: у меня есть код регистрации'));
    expect(asked.some((one) => one.command === 'open_agreement')).toBe(true);
  });
});
