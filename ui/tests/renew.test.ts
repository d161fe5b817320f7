import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, expect, it } from 'vitest';

import { answer, asked, reset, state } from './backend';
import * as sample from './sample';
import App from '../src/App.svelte';

const calls = (command: string) => asked.filter((one) => one.command === command);
const passphrase = (value: string) =>
  fireEvent.input(screen.getByTestId('again-passphrase'), { target: { value } });

async function open() {
  answer('get_state', () => state(sample.renewing, { language: 'ru' }));
  answer('get_agreement', () => sample.renewed);
  render(App);
  return screen.findByTestId('changes');
}

const scroll = (region: HTMLElement, top: number) => {
  Object.defineProperties(region, {
    clientHeight: { value: 100, configurable: true },
    scrollHeight: { value: 1000, configurable: true },
    scrollTop: { value: top, configurable: true, writable: true },
  });
  return fireEvent.scroll(region);
};

beforeEach(reset);

it('shows each changed clause as it was and as it is, in both languages, and the whole text by a switch', async () => {
  await open();
  const changes = screen.getAllByTestId('change');
  expect(changes.map((one) => one.dataset['kind'])).toEqual(['changed', 'added', 'removed']);
  for (const text of ['kk old', 'ru old', 'kk one', '• ru item']) {
    expect(changes[0]?.textContent).toContain(text);
  }
  expect(changes[1]?.textContent).toContain('Этого пункта не было.');
  expect(changes[2]?.textContent).toContain('Бұл тармақ енді жоқ.');
  await fireEvent.click(screen.getByTestId('view-whole'));
  expect((await screen.findByTestId('agreement-kk')).textContent).toContain('kk article');
  await fireEvent.click(screen.getByTestId('view-changes'));
  await screen.findByTestId('changes');
});

it('is accepted at the end of the changes, with the check and the passphrase', async () => {
  const region = await open();
  const accept = screen.getByTestId<HTMLButtonElement>('accept');
  const check = screen.getByTestId<HTMLInputElement>('accept-check');
  await scroll(region, 400);
  expect(check.disabled).toBe(true);
  await scroll(region, 900);
  await fireEvent.click(check);
  expect(accept.disabled).toBe(true);
  await passphrase('rare words');
  expect(accept.disabled).toBe(false);
  await fireEvent.click(accept);
  const call = calls('accept_again')[0]?.args;
  expect(call).toMatchObject({ passphrase: 'rare words', evidence: { end_reached: ['kk', 'ru'] } });
  expect(calls('accept_agreement')).toHaveLength(0);
});

it('asks once before it is declined, and needs the passphrase for that too', async () => {
  await open();
  await fireEvent.click(screen.getByTestId('decline'));
  const confirm = screen.getByTestId('decline-confirm');
  expect(confirm.getAttribute('aria-disabled')).toBe('true');
  await fireEvent.click(confirm);
  expect(calls('decline_again')).toHaveLength(0);
  await passphrase('rare words');
  await fireEvent.click(confirm);
  expect(calls('decline_again')[0]?.args).toMatchObject({ passphrase: 'rare words' });
});

it('says of a wrong passphrase what is wrong, and forgets it', async () => {
  answer('accept_again', () => {
    throw { code: 'passphrase-wrong', retry_after_seconds: null } as unknown as Error;
  });
  const region = await open();
  await scroll(region, 900);
  await fireEvent.click(screen.getByTestId('accept-check'));
  await passphrase('wrong words');
  await fireEvent.click(screen.getByTestId('accept'));
  expect((await screen.findByTestId('error')).dataset['code']).toBe('passphrase-wrong');
  const field = screen.getByTestId<HTMLInputElement>('again-passphrase');
  expect(field.value).toBe('');
  await waitFor(() => expect(document.activeElement).toBe(field));
});
