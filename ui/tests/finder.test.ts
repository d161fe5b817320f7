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

const searches = () => asked.filter((one) => one.command === 'search_donors').map((one) => one.args['after']);
const opened = () => asked.filter((one) => one.command === 'open_donor').map((one) => one.args['id']);

describe('the list', () => {
  it('has only the rows in view in the document and says each one’s place', async () => {
    render(App);
    const rows = await screen.findAllByTestId('donor-row');
    expect(rows.length).toBeLessThan(30);
    expect(rows[2]?.getAttribute('aria-posinset')).toBe('3');
    expect(rows[2]?.getAttribute('aria-setsize')).toBe('320');
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
    await fireEvent.click(screen.getByTestId('sync-screen'));
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
    await fireEvent.input(screen.getByTestId('donor-search'), { target: { value: 'касымова' } });
    await waitFor(() => expect(screen.getAllByTestId('donor-row')).toHaveLength(1));
    await fireEvent.keyDown(screen.getByTestId('donor-search'), { code: 'Enter' });
    await waitFor(() => expect(opened()).toEqual(['d-1']));
  });

  it('holds Enter until the rows answer what stands in the field', async () => {
    render(App);
    await screen.findAllByTestId('donor-row');
    const field = screen.getByTestId('donor-search');
    const release: (() => void)[] = [];
    answer('search_donors', ({ query }) =>
      new Promise<void>((go) => release.push(go)).then(() => ({
        total: 1,
        rows: [{ ...sample.row, id: `d-${String(query)}` }],
        next: null,
      })),
    );
    await fireEvent.input(field, { target: { value: 'кас' } });
    release.shift()?.();
    await waitFor(() => expect(screen.getByTestId('donor-row').dataset['id']).toBe('d-кас'));
    // The one row still answers the text before.
    await fireEvent.input(field, { target: { value: 'касым' } });
    await fireEvent.keyDown(field, { code: 'Enter' });
    await new Promise((go) => setTimeout(go));
    expect(opened()).toEqual([]);
    release.shift()?.();
    await waitFor(() => expect(opened()).toEqual(['d-касым']));
    // Whoever types on meant something else.
    await fireEvent.input(field, { target: { value: 'касымо' } });
    await fireEvent.keyDown(field, { code: 'Enter' });
    await fireEvent.input(field, { target: { value: 'касымов' } });
    while (release.length > 0) {
      release.shift()?.();
      await new Promise((go) => setTimeout(go));
    }
    await waitFor(() => expect(screen.getByTestId('donor-row').dataset['id']).toBe('d-касымов'));
    expect(opened()).toEqual(['d-касым']);
  });

  it('is asked again only for other data, and keeps its length and the row that is meant', async () => {
    answer('get_state', () => state(sample.unlocked, { data_as_of: '2026-11-22T04:40:00Z' }));
    render(App);
    await screen.findAllByTestId('donor-row');
    const list = screen.getByRole('listbox');
    list.scrollTop = 45 * 64;
    await fireEvent.scroll(list);
    await waitFor(() => expect(searches()).toHaveLength(2));
    list.scrollTop = 640;
    await fireEvent.scroll(list);
    const field = screen.getByTestId('donor-search');
    await fireEvent.keyDown(field, { code: 'ArrowDown' });
    await waitFor(() => expect(field.getAttribute('aria-activedescendant')).toMatch(/-0$/));
    list.scrollTop = 640;
    await fireEvent.scroll(list);
    asked.length = 0;
    // The data are looked at anew every minute; nothing of them is other.
    emit(state(sample.unlocked, { data_as_of: '2026-11-22T04:41:00Z' }));
    emit(state(sample.unlocked, { data_as_of: '2026-11-22T04:42:00Z' }));
    await new Promise((go) => setTimeout(go, 20));
    expect(searches()).toEqual([]);
    const rows = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => ({ ...sample.row, id: `d-${String(from + index)}` }));
    // Somebody is new at the beginning.
    answer('search_donors', ({ after }) => ({
      total: TOTAL + 1,
      rows: after ? rows(49, 99) : [{ ...sample.row, id: 'new' }, ...rows(0, 49)],
      next: after ? '99' : '50',
    }));
    emit(state(sample.unlocked, { data_changes: 1, data_as_of: '2026-11-22T04:42:00Z' }));
    await waitFor(() => expect(searches()).toEqual([null, '50']));
    await waitFor(() => expect(screen.getByTestId('donors').textContent).toContain('2 / 321'));
    // One row more is above the one that was at the top.
    expect(list.scrollTop).toBe(640 + 64);
    await fireEvent.keyDown(field, { code: 'Enter' });
    await waitFor(() => expect(opened()).toEqual(['d-0']));
  });

  it('opens by a click what the row showed when it was pressed, and nothing else', async () => {
    render(App);
    const row = async () => (await screen.findAllByTestId('donor-row'))[0] as HTMLElement;
    await fireEvent.pointerDown(await row());
    answer('search_donors', () => ({ total: 1, rows: [{ ...sample.row, id: 'other' }], next: null }));
    await fireEvent.input(screen.getByTestId('donor-search'), { target: { value: 'к' } });
    await waitFor(async () => expect((await row()).dataset['id']).toBe('other'));
    await fireEvent.click(await row(), { detail: 1 });
    expect(opened()).toEqual([]);
    await fireEvent.pointerDown(await row());
    await fireEvent.click(await row(), { detail: 1 });
    expect(opened()).toEqual(['other']);
  });

  it('names the row the keys are on only while that is drawn', async () => {
    render(App);
    await screen.findAllByTestId('donor-row');
    const [field, list] = [screen.getByTestId('donor-search'), screen.getByRole('listbox')];
    await fireEvent.keyDown(field, { code: 'ArrowDown' });
    await waitFor(() => expect(field.getAttribute('aria-activedescendant')).toMatch(/-0$/));
    list.scrollTop = 1280;
    await fireEvent.scroll(list);
    expect([field, list].map((one) => one.getAttribute('aria-activedescendant'))).toEqual([null, null]);
    // The keys go on from it.
    await fireEvent.keyDown(field, { code: 'ArrowDown' });
    await waitFor(() => expect(field.getAttribute('aria-activedescendant')).toMatch(/-1$/));
    expect(document.getElementById(field.getAttribute('aria-activedescendant') ?? '')).toBeTruthy();
  });

  it('is where it was when one comes back to it', async () => {
    render(App);
    await screen.findAllByTestId('donor-row');
    const list = screen.getByRole('listbox');
    list.scrollTop = 650;
    await fireEvent.scroll(list);
    await fireEvent.click(screen.getByTestId('sync-screen'));
    await fireEvent.click(screen.getByTestId('nav-donors'));
    await waitFor(() => expect(screen.getByRole('listbox').scrollTop).toBe(650));
    expect(searches()).toEqual([null]);
    await fireEvent.input(screen.getByTestId('donor-search'), { target: { value: 'к' } });
    await waitFor(() => expect(screen.getByRole('listbox').scrollTop).toBe(0));
  });

  it('keeps what is typed when Esc is pressed', async () => {
    render(App);
    const field = await screen.findByTestId<HTMLInputElement>('donor-search');
    // A field of type search is emptied by the engine.
    expect(field.type).toBe('text');
    await fireEvent.input(field, { target: { value: 'кас' } });
    await fireEvent.keyDown(field, { code: 'Escape' });
    expect(field.value).toBe('кас');
  });

  it('and so does the search in the agreement', async () => {
    answer('get_state', () => state({ name: 'agreement', declined: false, has_people: false, person: null }));
    answer('get_agreement', () => sample.agreement);
    render(App);
    const field = await screen.findByTestId<HTMLInputElement>('find');
    expect(field.type).toBe('text');
    expect(screen.getByRole('searchbox')).toBe(field);
  });

  it('says that a filter hides others, and takes it back', async () => {
    answer('search_donors', ({ filter }) => {
      const isWide = (filter as { blood: string | null }).blood === null;
      return { total: isWide ? 1 : 0, rows: isWide ? [sample.row] : [], next: null };
    });
    render(App);
    await screen.findByTestId('donor-row');
    await fireEvent.change(screen.getByTestId('filter-blood'), { target: { value: 'AB-' } });
    await screen.findByTestId('narrowed');
    await fireEvent.click(screen.getByTestId('widen'));
    await screen.findByTestId('donor-row');
    expect(document.activeElement).toBe(screen.getByTestId('donor-search'));
    // Where nobody is hidden nothing is said.
    answer('search_donors', () => ({ total: 0, rows: [], next: null }));
    await fireEvent.input(screen.getByTestId('donor-search'), { target: { value: 'жоқ' } });
    await waitFor(() => expect(screen.queryByTestId('donor-row')).toBeNull());
    expect(screen.queryByTestId('narrowed')).toBeNull();
  });

  it('counts nobody before the first answer, and draws outlines when it takes long', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((go) => (release = go));
    answer('search_donors', () => held.then(() => ({ total: 1, rows: [sample.row], next: null })));
    render(App);
    await screen.findByTestId('donor-search');
    expect(screen.getByTestId('donors').textContent).not.toMatch(/Табылған донор/);
    expect(screen.queryByTestId('loading')).toBeNull();
    await screen.findByTestId('loading');
    release?.();
    await screen.findByTestId('donor-row');
    expect(screen.getByTestId('donors').textContent).toContain('Табылған донор: 1');
    expect(screen.queryByTestId('loading')).toBeNull();
  });

  it.each([
    ['касымов', null, true],
    ['касымов', 'қ→к', true],
    ['8507', null, false],
    ['һөғғ', 'KZ00126000001', false],
  ])('%s, answered by %s: says that exact ones come first: %s', async (query, matched, isSaid) => {
    answer('search_donors', () => ({ total: 1, rows: [{ ...sample.row, matched }], next: null }));
    render(App);
    const field = await screen.findByTestId('donor-search');
    await fireEvent.input(field, { target: { value: query } });
    await waitFor(() => expect(searches()).toHaveLength(2));
    await new Promise((go) => setTimeout(go));
    expect(screen.getByTestId('donors').textContent.includes('дәл жазылуы бірінші')).toBe(isSaid);
  });
});

describe('a number that is typed and sent off with Enter', () => {
  const send = async (text: string) => {
    const field = screen.getByTestId<HTMLInputElement>('donor-search');
    await fireEvent.input(field, { target: { value: text } });
    await fireEvent.keyDown(field, { code: 'Enter' });
    return field;
  };

  beforeEach(() => {
    answer('open_donation', ({ din }) => ({ ...sample.donation, din }));
  });

  it.each(['KZ00126000001', 'kz001 26 000001 v', 'ЛЯққ"ә,қққққ"М'])(
    'opens its donation: %s',
    async (text) => {
      answer('read_scan', () => ({ kind: 'donation', din: 'KZ00126000001' }));
      render(App);
      await screen.findAllByTestId('donor-row');
      await send(text);
      await screen.findByTestId('donation-card');
      const last = asked.filter((one) => one.command === 'read_scan' || one.command === 'open_donation');
      expect(last.map((one) => one.args['text'] ?? one.args['din'])).toEqual([text, 'KZ00126000001']);
      // It was typed, so it stays.
      await fireEvent.keyDown(window, { code: 'Escape' });
      expect((await screen.findByTestId<HTMLInputElement>('donor-search')).value).toBe(text);
    },
  );

  it('says where its check character is another', async () => {
    answer('read_scan', ({ text }) => ({ kind: 'wrong-check', text }));
    render(App);
    await screen.findAllByTestId('donor-row');
    const field = await send('KZ00126000001X');
    expect((await screen.findByTestId('scan-note')).dataset['kind']).toBe('wrong-check');
    expect(field.value).toBe('KZ00126000001X');
    expect(opened()).toEqual([]);
  });

  it('is a search where it is none, or of nobody here', async () => {
    answer('read_scan', ({ text }) => ({ kind: 'unknown', text, expected: 'number' }));
    answer('search_donors', () => ({ total: 1, rows: [sample.row], next: null }));
    render(App);
    await screen.findAllByTestId('donor-row');
    await send('Касымова Мария Ивановна');
    await waitFor(() => expect(opened()).toEqual(['d-1']));
    expect(screen.queryByTestId('scan-note')).toBeNull();
  });

  it('opens nothing when somebody types on before it is read', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((go) => (release = go));
    answer('read_scan', () => held.then(() => ({ kind: 'donation', din: 'KZ00126000001' })));
    render(App);
    await screen.findAllByTestId('donor-row');
    await send('KZ00126000001');
    await fireEvent.input(screen.getByTestId('donor-search'), { target: { value: 'KZ001260000012' } });
    release?.();
    await new Promise((go) => setTimeout(go, 20));
    expect(screen.queryByTestId('donation-card')).toBeNull();
  });
});
