import { render, screen } from '@testing-library/svelte';
import { afterEach, expect, it, vi } from 'vitest';

import { state } from './backend';
import TopBar from '../src/lib/components/TopBar.svelte';
import { useLanguage } from '../src/lib/i18n.svelte';

const person = {
  person_id: 'aa',
  login: 'a.test',
  name: 'Family Given Patronymic',
  role: 'clinician',
  offline_until: new Date(Date.now() + 2.5 * 86_400_000).toISOString(),
  read_only_until: '2099-01-08T00:00:00Z',
  lease: 'attention' as const,
  lease_days_left: 3,
  mode: 'full' as const,
  may_break_glass: false,
  purpose: null,
  last_purpose: null,
  receipt: {
    statement_id: 'ab'.repeat(32),
    registered_at: '2026-11-22T04:00:00Z',
    tree_size: 4,
    leaf_index: 3,
  },
};

afterEach(() => vi.restoreAllMocks());

it('shortens the words of the facts and hides none', async () => {
  useLanguage('ru');
  const bar = vi.spyOn(HTMLElement.prototype, 'scrollWidth', 'get').mockReturnValue(2000);
  render(TopBar, {
    state: state({ name: 'unlocked', person }, { data_as_of: '2020-01-02T04:41:00Z', connection: 'offline' }),
  });
  await vi.waitFor(() => expect(screen.getByTestId('status-bar').dataset['short']).toBe('6'));
  expect(bar).toHaveBeenCalled();
  const text = screen.getByTestId('status-bar').textContent ?? '';
  for (const words of ['KZ001', 'Нет связи', '02.01 09:41', 'ещё 3 дн.', 'Family G. P.']) {
    expect(text).toContain(words);
  }
  expect(screen.getByTestId('lock').getAttribute('aria-label')).toBe('Заблокировать');
  expect(screen.getByTitle('Family Given Patronymic')).toBeTruthy();
  expect(screen.getByTitle('Данные: 02.01.2020 09:41')).toBeTruthy();
});

it('keeps all words where there is room', async () => {
  useLanguage('ru');
  render(TopBar, { state: state({ name: 'unlocked', person }) });
  await screen.findByText('Family Given Patronymic');
  expect(screen.getByTestId('status-bar').dataset['short']).toBe('0');
});
