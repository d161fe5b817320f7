import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';

import { answer, asked, reset, state } from './backend';
import * as sample from './sample';
import App from '../src/App.svelte';
import type { Screen } from '../src/lib/backend';

const calls = (command: string) => asked.filter((one) => one.command === command);
const type = (id: string, value: string) => fireEvent.input(screen.getByTestId(id), { target: { value } });

async function open(first: Screen) {
  answer('get_state', () => state(first, { language: 'ru' }));
  answer('check_passphrase', () => ({ score: 4, errors: [] }));
  render(App);
  await screen.findByTestId('status-bar');
}

beforeEach(reset);

describe('return', () => {
  it('explains what to do about a forgotten passphrase, and begins it', async () => {
    await open({ name: 'return', people: sample.people });
    await fireEvent.click(screen.getByTestId('forgot'));
    const dialog = await screen.findByTestId('forgot-dialog');
    expect(dialog.textContent).toContain('новый код регистрации');
    await fireEvent.click(screen.getByTestId('forgot-go'));
    expect(calls('open_agreement')).toHaveLength(1);
  });

  it('changes the passphrase when the new one was typed twice', async () => {
    await open({ name: 'return', people: sample.people });
    await fireEvent.click(screen.getByTestId('change-passphrase'));
    await screen.findByTestId('change-dialog');
    await type('change-old', 'old rare words');
    await type('change-new', 'new rare words');
    await type('change-again', 'new rare word');
    await fireEvent.click(screen.getByTestId('change-go'));
    expect((await screen.findByTestId('error')).dataset['code']).toBe('passphrase-mismatch');
    expect(document.activeElement).toBe(screen.getByTestId('change-again'));
    expect(calls('change_passphrase')).toHaveLength(0);
    await type('change-again', 'new rare words');
    await fireEvent.click(screen.getByTestId('change-go'));
    await screen.findByText('Парольная фраза сменена. Войдите с новой.');
    expect(calls('change_passphrase')[0]?.args).toEqual({
      personId: 'aa',
      old: 'old rare words',
      new: 'new rare words',
    });
    expect(screen.queryByTestId('change-dialog')).toBeNull();
  });

  it('keeps the dialog and forgets the old passphrase when it was wrong', async () => {
    answer('change_passphrase', () => {
      throw { code: 'passphrase-wrong', retry_after_seconds: null } as unknown as Error;
    });
    await open({ name: 'return', people: sample.people });
    await fireEvent.click(screen.getByTestId('change-passphrase'));
    for (const id of ['change-old', 'change-new', 'change-again']) await type(id, 'some rare words');
    await fireEvent.click(screen.getByTestId('change-go'));
    expect((await screen.findByTestId('error')).dataset['code']).toBe('passphrase-wrong');
    const field = screen.getByTestId<HTMLInputElement>('change-old');
    expect(field.value).toBe('');
    expect(document.activeElement).toBe(field);
  });
});

describe('blocked', () => {
  const lost = (can: boolean): Screen => ({
    name: 'blocked',
    error: { code: 'keyring-lost', retry_after_seconds: null },
    can_start_anew: can,
  });

  it('begins anew only after the check was set', async () => {
    await open(lost(true));
    await fireEvent.click(screen.getByTestId('start-anew'));
    const go = await screen.findByTestId('anew-go');
    await fireEvent.click(go);
    expect(calls('start_anew')).toHaveLength(0);
    await fireEvent.click(screen.getByTestId('anew-check'));
    await fireEvent.click(go);
    expect(calls('start_anew')).toHaveLength(1);
    await waitFor(() => expect(screen.queryByTestId('anew-dialog')).toBeNull());
  });

  it('does not offer it where it would not help', async () => {
    await open(lost(false));
    expect(screen.queryByTestId('start-anew')).toBeNull();
  });
});
