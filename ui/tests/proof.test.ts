// The record of acceptance of who is signed in: the way to it, and what it says.
import { fireEvent, render, screen, within } from '@testing-library/svelte';
import { beforeEach, expect, it } from 'vitest';

import { answer, asked, reset, state } from './backend';
import * as sample from './sample';
import App from '../src/App.svelte';

async function open(role: string | null) {
  const unlocked = { ...sample.unlocked, person: { ...sample.unlocked.person, role } };
  answer('get_state', () => state(unlocked, { language: 'ru' }));
  answer('search_donors', () => ({ total: 0, rows: [], next: null }));
  answer('save_proof', () => ({ path: 'acceptance.cose' }));
  render(App);
  // One name for the way to it and for the card: never two of them at once.
  await fireEvent.click(await screen.findByTestId('proof-card'));
  return screen.findByTestId('proof-card');
}

beforeEach(reset);

it('is a card that shows and saves the proof', async () => {
  const card = await open('clinician');
  expect(card.textContent).toContain('врач');
  await fireEvent.click(within(card).getByTestId('save-proof'));
  await within(card).findByText('acceptance.cose');
  expect(asked.filter((one) => one.command === 'save_proof')).toHaveLength(1);
  // Away and back again.
  await fireEvent.click(screen.getByTestId('sync-screen'));
  await fireEvent.click(screen.getByTestId('proof-card'));
  expect((await screen.findByTestId('proof-card')).textContent).toContain('врач');
});

it.each([
  [null, 'сервер ещё не сообщил'],
  ['transfusiologist', 'transfusiologist'],
])('says of the role %s what it can', async (role, words) => {
  const card = await open(role);
  expect(card.textContent).toContain(words);
  expect(card.textContent).not.toContain('proof.');
});
