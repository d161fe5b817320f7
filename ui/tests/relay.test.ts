import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';

import { answer, asked, reset, state } from './backend';
import * as sample from './sample';
import App from '../src/App.svelte';

const calls = (command: string) => asked.filter((one) => one.command === command);
const field = () => screen.getByTestId<HTMLTextAreaElement>('relay-frame');
const taken = { have: 1, total: 3, missing: [2, 3], is_done: false, refusal: null };

async function open() {
  answer('get_state', () =>
    state({ name: 'registering', progress: sample.progress }, { language: 'ru', connection: 'offline' }),
  );
  answer('show_qr', () => ({ svg: '<svg xmlns="x"><path d="M0"/></svg>', url: 'https://server/relay#x' }));
  render(App);
  return screen.findByTestId('offline-ways');
}

async function enter(text: string) {
  await fireEvent.input(field(), { target: { value: text } });
  await fireEvent.keyDown(field(), { key: 'Enter', code: 'Enter' });
}

beforeEach(reset);

describe('without a connection', () => {
  it('offers the courier and the phone, and shows the code as a picture', async () => {
    await open();
    expect(screen.getByTestId('courier-export')).toBeTruthy();
    await fireEvent.click(screen.getByTestId('show-qr'));
    const box = await screen.findByTestId('qr');
    expect(calls('show_qr')[0]?.args).toEqual({ personId: 'aa' });
    expect(box.querySelector('img')?.getAttribute('src')).toMatch(/^data:image\/svg\+xml,%3Csvg/);
    expect(box.querySelector('svg')).toBeNull();
  });

  it('reads frame after frame and says which are missing', async () => {
    answer('relay_frame', () => taken);
    await open();
    await enter('IBR1ABCD');
    const progress = screen.getByTestId('relay-progress');
    await waitFor(() => expect(progress.textContent).toContain('Прочитано кодов: 1 из 3'));
    expect(progress.textContent).toContain('2, 3');
    expect(field().value).toBe('');
    answer('relay_frame', () => ({ ...taken, have: 3, missing: [], is_done: true }));
    await enter('IBR1EFGH');
    await waitFor(() => expect(progress.textContent).toContain('Ответ собран и проверен'));
    expect(calls('relay_frame').map((one) => one.args)).toEqual([{ text: 'IBR1ABCD' }, { text: 'IBR1EFGH' }]);
  });

  it('takes a scan wherever the focus is', async () => {
    answer('relay_frame', () => taken);
    await open();
    const button = screen.getByTestId('courier-export');
    button.focus();
    await fireEvent.keyDown(button, { key: 'Ш', code: 'KeyI' });
    expect(document.activeElement).toBe(field());
    expect(field().value).toBe('Ш');
    await fireEvent.keyDown(field(), { key: 'Enter', code: 'Enter' });
    await waitFor(() => expect(calls('relay_frame')[0]?.args).toEqual({ text: 'Ш' }));
    expect(calls('courier_export')).toHaveLength(0);
  });

  it('shows what could not be read, and what the server refused', async () => {
    answer('relay_frame', () => {
      throw { code: 'relay-not-a-frame', retry_after_seconds: null } as unknown as Error;
    });
    await open();
    await enter('4601234567890');
    expect((await screen.findByTestId('error')).dataset['code']).toBe('relay-not-a-frame');
    expect(screen.getByText('Прочитано: 4601234567890')).toBeTruthy();
    answer('relay_frame', () => ({
      ...taken,
      is_done: true,
      refusal: { code: 'code-used', retry_after_seconds: null },
    }));
    await enter('IBR1ABCD');
    await waitFor(() => expect(screen.getByTestId('error').dataset['code']).toBe('code-used'));
    expect(screen.getByTestId('relay-progress').textContent).not.toContain('собран');
  });
});
