import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it } from 'vitest';

import { answer, asked, reset, state } from './backend';
import App from '../src/App.svelte';
import type { CodeCheck, PassphraseCheck } from '../src/lib/backend';
import { caretAfter, grouped, symbolsOf } from '../src/screens/identify/code';

const code = '7K3QM-9XT2B-4HW8D-V6RCE-0';
const first = state({
  name: 'identify',
  document: { version: 1, sha256: 'cd'.repeat(32), effective_from: '2026-01-01T00:00:00Z' },
  evidence: { opened_at: 1, visible_seconds: 432, languages_shown: ['kk', 'ru'], end_reached: ['ru'] },
});

async function open() {
  answer('get_state', () => first);
  render(App);
  return screen.findByTestId<HTMLInputElement>('enrol-code');
}

beforeEach(() => {
  reset();
  answer('check_code', ({ code: typed }): CodeCheck => {
    const read = String(typed).replace(/O/g, '0');
    return { ok: read === code, normalized: read };
  });
  answer('check_passphrase', ({ passphrase }): PassphraseCheck => ({
    score: 3,
    errors: String(passphrase).length < 12 ? ['passphrase-short'] : [],
  }));
});

describe('the code in groups', () => {
  it('takes separators away and puts them where they belong', () => {
    expect(grouped('7k3qm9xt2b 4hw8d\u2014v6rce_0\n')).toBe(code);
    expect(grouped('7K3QM')).toBe('7K3QM');
    expect(grouped('7K3QM9')).toBe('7K3QM-9');
  });

  it('leaves what the Kazakh layout typed, but its hyphen', () => {
    expect(symbolsOf('\u04d9\u04e9\u0439\u0419')).toBe('\u04d9\u0439\u0419');
    expect(symbolsOf('\u0438\u0306')).toHaveLength(1);
  });

  it('knows where the caret stands', () => {
    for (let symbols = 0; symbols <= 21; symbols += 1) {
      expect(caretAfter(symbols)).toBe(grouped('X'.repeat(symbols)).length);
    }
  });
});

describe('the code field', () => {
  it('is one field that groups what is typed, in any case', async () => {
    const field = await open();
    await userEvent.type(field, '7k3qm9xt2b');
    expect(field.value).toBe('7K3QM-9XT2B');
    await userEvent.type(field, '{Backspace}');
    expect(field.value).toBe('7K3QM-9XT2');
    await userEvent.clear(field);
    expect(field.value).toBe('');
  });

  it('keeps the caret where something was put right in the middle', async () => {
    const field = await open();
    await userEvent.type(field, '7K3QM9XT2B');
    await userEvent.type(field, 'z', { initialSelectionStart: 2, initialSelectionEnd: 2 });
    expect(field.value).toBe('7KZ3Q-M9XT2-B');
    expect(field.selectionStart).toBe(3);
  });

  it('takes a whole code from the clipboard and says that it is right', async () => {
    const field = await open();
    await userEvent.click(field);
    await userEvent.paste(' 7k3qm 9xt2b 4hw8d v6rce o\n');
    await screen.findByText('дұрыс терілген');
    expect(field.value).toBe(code);
    expect(field.getAttribute('aria-invalid')).toBe('false');
  });

  it('says that a symbol is wrong', async () => {
    const field = await open();
    await userEvent.type(field, code.replace('7', '8'));
    await waitFor(() => expect(field.getAttribute('aria-invalid')).toBe('true'));
  });
});

describe('signing', () => {
  it('is closed until everything stands, and says what is left', async () => {
    const field = await open();
    const sign = screen.getByTestId('sign');
    expect(sign.getAttribute('aria-disabled')).toBe('true');
    await fireEvent.click(sign);
    expect(asked.some((one) => one.command === 'sign')).toBe(false);
    await fireEvent.input(screen.getByTestId('enrol-login'), { target: { value: ' a.test ' } });
    await fireEvent.input(field, { target: { value: code } });
    await fireEvent.input(screen.getByTestId('passphrase'), { target: { value: 'rare words stand here' } });
    await fireEvent.input(screen.getByTestId('passphrase-again'), { target: { value: 'rare words' } });
    await fireEvent.click(sign);
    expect(screen.getByTestId('error').dataset['code']).toBe('passphrase-mismatch');
    expect(document.activeElement).toBe(screen.getByTestId('passphrase-again'));
    await fireEvent.input(screen.getByTestId('passphrase-again'), {
      target: { value: 'rare words stand here' },
    });
    await waitFor(() => expect(sign.getAttribute('aria-disabled')).toBe('false'));
    await fireEvent.click(sign);
    const call = asked.find((one) => one.command === 'sign');
    expect(call?.args).toEqual({ login: 'a.test', code, passphrase: 'rare words stand here' });
  });

  it('shows what the shell answered', async () => {
    answer('sign', () => {
      throw { code: 'code-used', retry_after_seconds: null } as unknown as Error;
    });
    const field = await open();
    await fireEvent.input(screen.getByTestId('enrol-login'), { target: { value: 'a.test' } });
    await fireEvent.input(field, { target: { value: code } });
    for (const id of ['passphrase', 'passphrase-again']) {
      await fireEvent.input(screen.getByTestId(id), { target: { value: 'rare words stand here' } });
    }
    const sign = screen.getByTestId('sign');
    await waitFor(() => expect(sign.getAttribute('aria-disabled')).toBe('false'));
    await fireEvent.click(sign);
    const error = await screen.findByTestId('error');
    expect(error.getAttribute('data-code')).toBe('code-used');
    expect(document.activeElement).toBe(field);
    // A full disk means here that nothing is signed.
    answer('sign', () => {
      throw { code: 'disk-full', retry_after_seconds: null } as unknown as Error;
    });
    await fireEvent.click(sign);
    await waitFor(() => expect(screen.getByTestId('error').dataset['code']).toBe('disk-full'));
    expect(screen.getByTestId('error').textContent).toMatch(/Подпись не сохранена|Қолтаңба сақталмады/);
  });
});
