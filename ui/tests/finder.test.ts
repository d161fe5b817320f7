// The list of donors: long, led by keys, told to who listens.
import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';

import { answer, asked, emit, reset, state } from './backend';
import * as sample from './sample';
import App from '../src/App.svelte';

const PAGE = 50;
const TOTAL = 320;

beforeEach(() => {
  reset();
  answer('search_donors', ({ after }) => {
    const from = Number(after ?? 0);
    const rows = Array.from({ length: Math.min(PAGE, TOTAL - from) }, (_, index) => ({
      ...sample.row,
      id: `d-${String(from + index)}`,
      given: `Given${String(from + index)}`,
    }));
    return { total: TOTAL, rows, next: from + PAGE < TOTAL ? String(from + PAGE) : null };
  });
  answer('open_donor', ({ id }) => ({ ...sample.card, id }));
  answer('get_state', () => state(sample.unlocked));
});

const opened = () => asked.filter((one) => one.command === 'open_donor').map((one) => one.args['id']);

describe('the list', () => {
  it('has only the rows in view in the document and says each one’s place', async () => {
    render(App);
    const rows = await screen.findAllByTestId('donor-row');
    expect(rows.length).toBeLessThan(30);
    expect(rows[3]?.getAttribute('aria-posinset')).toBe('4');
    expect(rows[3]?.getAttribute('aria-setsize')).toBe('320');
  });

  it('goes where the keys say, from the field too, and opens what is meant', async () => {
    render(App);
    await screen.findAllByTestId('donor-row');
    const field = screen.getByTestId('donor-search');
    for (const code of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowUp'])
      await fireEvent.keyDown(field, { code });
    const meant = () => document.getElementById(field.getAttribute('aria-activedescendant') ?? '');
    await waitFor(() => expect(meant()?.dataset['id']).toBe('d-1'));
    // In the field these move the caret.
    expect(await fireEvent.keyDown(field, { code: 'End' })).toBe(true);
    await fireEvent.keyDown(field, { code: 'Enter' });
    await screen.findByTestId('donor-card');
    expect(opened()).toEqual(['d-1']);
    const list = screen.getByRole('listbox');
    await fireEvent.keyDown(list, { code: 'Home' });
    await waitFor(() => expect(list.getAttribute('aria-activedescendant')).toMatch(/-0$/));
    await fireEvent.keyDown(list, { code: 'Enter' });
    await waitFor(() => expect(opened()).toEqual(['d-1', 'd-0']));
  });

  it('answers every key, and of those that come during an answer only the last', async () => {
    render(App);
    await screen.findAllByTestId('donor-row');
    const field = screen.getByTestId<HTMLInputElement>('donor-search');
    const queries = () =>
      asked.filter((one) => one.command === 'search_donors').map((one) => one.args['query']);
    await fireEvent.input(field, { target: { value: 'к' } });
    await waitFor(() => expect(queries()).toEqual(['', 'к']));
    let release: (() => void) | undefined;
    const held = new Promise<void>((go) => (release = go));
    answer('search_donors', ({ query }) =>
      held.then(() => ({ total: 1, rows: [{ ...sample.row, id: `d-${String(query)}` }], next: null })),
    );
    for (const value of ['ка', 'кас', 'касы', 'касым']) await fireEvent.input(field, { target: { value } });
    expect(queries()).toEqual(['', 'к', 'ка']);
    release?.();
    await waitFor(() => expect(screen.getByTestId('donor-row').dataset['id']).toBe('d-касым'));
    expect(queries()).toEqual(['', 'к', 'ка', 'касым']);
  });

  it('loads further pages as its end comes near', async () => {
    render(App);
    await screen.findAllByTestId('donor-row');
    const list = screen.getByRole('listbox');
    for (let page = 1; page < TOTAL / PAGE; page += 1) {
      list.scrollTop = 1e9;
      await fireEvent.scroll(list);
      await waitFor(() =>
        expect(asked.filter((one) => one.command === 'search_donors').length).toBeGreaterThan(page),
      );
    }
    await waitFor(() => {
      list.scrollTop = 1e9;
      void fireEvent.scroll(list);
      expect(screen.getAllByTestId('donor-row').at(-1)?.dataset['id']).toBe('d-319');
    });
    expect(screen.getAllByTestId('donor-row').length).toBeLessThan(30);
  });

  it('keeps what was typed while another section is open, and forgets it with the lock', async () => {
    render(App);
    const field = await screen.findByTestId<HTMLInputElement>('donor-search');
    await fireEvent.input(field, { target: { value: 'касымова' } });
    await waitFor(() => expect(asked.some((one) => one.args['query'] === 'касымова')).toBe(true));
    await fireEvent.click(screen.getByTestId('nav-sync'));
    await fireEvent.click(screen.getByTestId('nav-donors'));
    expect((await screen.findByTestId<HTMLInputElement>('donor-search')).value).toBe('касымова');
    emit(state({ name: 'return', people: [] }));
    await waitFor(() => expect(screen.queryByTestId('donor-search')).toBeNull());
    emit(state(sample.unlocked));
    expect((await screen.findByTestId<HTMLInputElement>('donor-search')).value).toBe('');
  });

  it.each(['filter-blood', 'filter-deferral'])(
    'asks for fewer with %s, and typing keeps it',
    async (which) => {
      render(App);
      await screen.findAllByTestId('donor-row');
      const value = which === 'filter-blood' ? 'AB-' : 'temporary';
      await fireEvent.change(screen.getByTestId(which), { target: { value } });
      const filter =
        which === 'filter-blood' ? { blood: value, deferral: null } : { blood: null, deferral: value };
      const last = () => asked.filter((one) => one.command === 'search_donors').at(-1)?.args;
      await waitFor(() => expect(last()).toEqual({ query: '', filter, after: null }));
      await fireEvent.input(screen.getByTestId('donor-search'), { target: { value: 'к' } });
      await waitFor(() => expect(last()).toEqual({ query: 'к', filter, after: null }));
      await fireEvent.change(screen.getByTestId(which), { target: { value: '' } });
      await waitFor(() => expect(last()?.['filter']).toEqual({ blood: null, deferral: null }));
    },
  );

  it('opens the one answer with Enter, and none of several', async () => {
    render(App);
    await screen.findAllByTestId('donor-row');
    await fireEvent.keyDown(screen.getByTestId('donor-search'), { code: 'Enter' });
    expect(opened()).toEqual([]);
    answer('search_donors', () => ({ total: 1, rows: [sample.row], next: null }));
    await fireEvent.input(screen.getByTestId('donor-search'), { target: { value: '850715400129' } });
    await waitFor(() => expect(screen.getAllByTestId('donor-row')).toHaveLength(1));
    await fireEvent.keyDown(screen.getByTestId('donor-search'), { code: 'Enter' });
    await waitFor(() => expect(opened()).toEqual(['d-1']));
  });
});
