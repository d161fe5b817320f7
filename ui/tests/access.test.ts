// The person's own access log, and the settings.
import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, expect, it } from 'vitest';

import { answer, asked, reset, state } from './backend';
import * as sample from './sample';
import App from '../src/App.svelte';

const commands = (name: string) => asked.filter((one) => one.command === name);

beforeEach(() => {
  reset();
  answer('get_state', () => state(sample.unlocked));
  answer('search_donors', () => ({ total: 0, rows: [], next: null }));
});

async function open(testid: string) {
  render(App);
  await fireEvent.click(await screen.findByTestId(testid));
}

it('lists when, what, whom, what for and whether it was delivered', async () => {
  answer('access_log', () => sample.accesses);
  await open('access-log');
  const texts = (await screen.findAllByTestId('access-row')).map((row) => row.textContent);
  expect(texts[0]).toContain('22.11.2026 09:47:09');
  for (const words of ['Картаны қарау', 'Family Given', 'Кері іздеу', 'шұғыл рұқсат', 'кезекте'])
    expect(texts[0]).toContain(words);
  for (const words of ['Басып шығару', 'рұқсат берілмеді', 'қазір жабық', 'd-gone', 'көмек керек'])
    expect(texts[1]).toContain(words);
  for (const words of ['Кіру', '—', 'жеткізілді']) expect(texts[2]).toContain(words);
});

it('names the donation that was looked at', async () => {
  const [row] = sample.accesses.rows;
  const donation = { ...row, patient_id: null, patient_name: null, donation: 'A123426000010' };
  answer('access_log', () => ({ rows: [donation], next: null }));
  await open('access-log');
  expect((await screen.findByTestId('access-row')).textContent).toContain('A1234 26 000010');
});

it('reads older ones behind those it has, and begins anew when asked', async () => {
  answer('access_log', ({ after }) =>
    after === '10'
      ? { rows: sample.accesses.rows.map((row) => ({ ...row, sequence: row.sequence - 5 })), next: null }
      : sample.accesses,
  );
  await open('access-log');
  await fireEvent.click(await screen.findByTestId('access-older'));
  await waitFor(() => expect(screen.getAllByTestId('access-row')).toHaveLength(6));
  expect(screen.queryByTestId('access-older')).toBeNull();
  await fireEvent.click(screen.getByTestId('access-again'));
  await waitFor(() => expect(screen.getAllByTestId('access-row')).toHaveLength(3));
  expect(commands('access_log').map((one) => one.args['after'])).toEqual([null, '10', null]);
});

it('names what went wrong instead of an empty log', async () => {
  answer('access_log', () => {
    throw { code: 'grant-expired', retry_after_seconds: null } as unknown as Error;
  });
  await open('access-log');
  const error = await screen.findByTestId('error');
  expect(error.getAttribute('data-code')).toBe('grant-expired');
  expect(screen.queryByText('Жазба әлі жоқ.')).toBeNull();
});

it('gathers language, text size, passphrase and what the program is', async () => {
  await open('settings');
  const page = await screen.findByTestId('settings');
  for (const words of ['Info Blood 0.1.0', 'KZ001', 'KZ001-07']) expect(page.textContent).toContain(words);
  await fireEvent.click(screen.getByTestId('settings-ru'));
  expect(commands('set_language').map((one) => one.args['language'])).toEqual(['ru']);

  const root = document.documentElement;
  await fireEvent.keyDown(window, { code: 'Equal', ctrlKey: true });
  expect(root.style.fontSize).toBe('115%');
  await waitFor(() => expect(screen.getByTestId('settings-size').textContent).toContain('115 %'));
  await fireEvent.keyDown(window, { code: 'Digit0', ctrlKey: true });
  expect(root.style.fontSize).toBe('100%');

  await fireEvent.click(screen.getByTestId('settings-passphrase'));
  expect(await screen.findByTestId('change-dialog')).toBeTruthy();
});

it('says so when the language could not be stored', async () => {
  answer('set_language', () => {
    throw { code: 'disk-full', retry_after_seconds: null } as unknown as Error;
  });
  await open('settings');
  await fireEvent.click(await screen.findByTestId('settings-ru'));
  expect((await screen.findByTestId('error')).getAttribute('data-code')).toBe('disk-full');
});
