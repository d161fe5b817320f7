// No card opens before somebody said what for; the answer of last time is offered.
import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, expect, it } from 'vitest';

import { answer, asked, emit, reset, state } from './backend';
import * as sample from './sample';
import App from '../src/App.svelte';
import type { State } from '../src/lib/backend';

const fresh = (more: Partial<typeof sample.unlocked.person> = {}): State =>
  state({
    name: 'unlocked',
    person: { ...sample.unlocked.person, purpose: null, last_purpose: null, ...more },
  });
const commands = (name: string) => asked.filter((one) => one.command === name);

beforeEach(() => {
  reset();
  answer('search_donors', () => ({ total: 1, rows: [sample.row], next: null }));
  answer('open_donor', () => sample.card);
});

async function look(first: State) {
  answer('get_state', () => first);
  render(App);
  await fireEvent.click(await screen.findByTestId('donor-row'));
}

it('asks before the first card and not before the second', async () => {
  await look(fresh({ last_purpose: 'lookback' }));
  await screen.findByTestId('purpose-dialog');
  expect(commands('open_donor')).toHaveLength(0);
  await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId('purpose-lookback')));
  expect(screen.getByTestId('purpose-lookback').textContent).toContain('өткен жолғы');

  await fireEvent.click(screen.getByTestId('purpose-quality'));
  await screen.findByTestId('donor-card');
  expect(commands('choose_purpose').map((one) => one.args)).toEqual([{ purpose: 'quality' }]);
  expect(screen.queryByTestId('purpose-dialog')).toBeNull();
  expect(screen.getByTestId('purpose').textContent).toContain('Сапаны бақылау');

  await fireEvent.click(screen.getByTestId('donor-row'));
  await waitFor(() => expect(commands('open_donor')).toHaveLength(2));
  expect(screen.queryByTestId('purpose-dialog')).toBeNull();
});

it('opens nothing when the question is put aside, and says so', async () => {
  await look(fresh());
  const dialog = await screen.findByTestId('purpose-dialog');
  await fireEvent(dialog, new Event('cancel', { cancelable: true }));
  const error = await screen.findByTestId('error');
  expect(error.getAttribute('data-code')).toBe('purpose-required');
  expect(commands('open_donor')).toHaveLength(0);
});

it('stays open with the error when the choice could not be stored', async () => {
  answer('choose_purpose', () => {
    throw { code: 'disk-full', retry_after_seconds: null } as unknown as Error;
  });
  await look(fresh());
  await fireEvent.click(await screen.findByTestId('purpose-treatment'));
  const error = await screen.findByTestId('error');
  expect(error.getAttribute('data-code')).toBe('disk-full');
  expect(screen.getByTestId('purpose-dialog')).toBeTruthy();
  expect(commands('open_donor')).toHaveLength(0);
});

it('is changed at will and forgotten with the lock', async () => {
  answer('get_state', () => fresh({ purpose: 'donation' }));
  render(App);
  await fireEvent.click(await screen.findByTestId('purpose'));
  await fireEvent.click(screen.getByTestId('purpose-treatment'));
  await waitFor(() => expect(screen.getByTestId('purpose').textContent).toContain('Емдеу'));
  emit(state({ name: 'return', people: [] }));
  await waitFor(() => expect(screen.queryByTestId('purpose')).toBeNull());
});
