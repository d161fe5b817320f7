import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';

import { answer, asked, emit, reset, state } from './backend';
import App from '../src/App.svelte';
import type { AgreementView, DonorCard, DonorPage, State } from '../src/lib/backend';

const person = {
  person_id: 'aa',
  login: 'a.test',
  name: 'A. Test',
  role: 'clinician',
  offline_until: '2099-01-01T00:00:00Z',
  read_only_until: '2099-01-08T00:00:00Z',
  lease: 'ok' as const,
  lease_days_left: 30,
  mode: 'full' as const,
  may_break_glass: false,
  purpose: 'donation' as const,
  last_purpose: 'donation' as const,
  receipt: {
    statement_id: 'ab'.repeat(32),
    registered_at: '2026-11-22T04:00:00Z',
    tree_size: 4,
    leaf_index: 3,
  },
};

function open(first: State) {
  answer('get_state', () => first);
  return render(App);
}

beforeEach(() => {
  reset();
  answer('get_agreement', (): AgreementView => ({
    facts: { version: 1, sha256: 'cd'.repeat(32), effective_from: '2026-01-01T00:00:00Z' },
    units: [
      { id: 1, kind: 'title', kk: ['kk title'], ru: ['ru title'] },
      { id: 2, kind: 'point', kk: ['kk one\u00a0'], ru: ['ru lead', '', '• ru item'] },
    ],
    accepted: false,
    previous_version: null,
    changes: [],
  }));
});

describe('agreement', () => {
  const first = state({ name: 'agreement', declined: false, has_people: false, person: null });

  it('shows each language whole, code point for code point', async () => {
    open(first);
    const kk = await screen.findByTestId('agreement-kk');
    const ru = await screen.findByTestId('agreement-ru');
    expect(kk.textContent?.trimStart().trimEnd()).toContain('kk title\n\nkk one');
    expect(ru.textContent).toContain('ru title\n\nru lead\n\n• ru item');
  });

  it('leads, where only one language is shown, to what stands only in the other', async () => {
    const { happyDOM } = window as unknown as { happyDOM: { setViewport(size: { width: number }): void } };
    happyDOM.setViewport({ width: 900 });
    answer('set_language', (args) => {
      emit({ ...first, language: args['language'] as 'kk' | 'ru' });
    });
    open(first);
    await screen.findByTestId('agreement-kk');
    expect(screen.queryByTestId('agreement-ru')).toBeNull();
    const find = await screen.findByTestId('find');
    const search = screen.getByRole('search');
    await fireEvent.input(find, { target: { value: 'nowhere' } });
    await waitFor(() => expect(search.textContent).toContain('табылмады'));
    await fireEvent.input(find, { target: { value: 'RU ' } });
    const lead = await screen.findByTestId('find-elsewhere');
    expect(lead.textContent).toBe('орысша мәтінде: 3');
    expect(search.textContent).not.toContain('табылмады');
    await fireEvent.click(lead);
    await screen.findByTestId('agreement-ru');
    await waitFor(() => expect(search.textContent).toContain('1 / 3'));
    expect(screen.queryByTestId('find-elsewhere')).toBeNull();
    happyDOM.setViewport({ width: 1024 });
  });

  it('keeps accepting closed until the end was reached and the check is set', async () => {
    open(first);
    const accept = await screen.findByTestId<HTMLButtonElement>('accept');
    const check = screen.getByTestId<HTMLInputElement>('accept-check');
    const scroller = screen.getByRole('region');
    await screen.findByTestId('agreement-kk');
    expect(accept.disabled).toBe(true);
    expect(check.disabled).toBe(true);

    const at = (top: number) => {
      Object.defineProperties(scroller, {
        clientHeight: { value: 100, configurable: true },
        scrollHeight: { value: 1000, configurable: true },
        scrollTop: { value: top, configurable: true, writable: true },
      });
      return fireEvent.scroll(scroller);
    };
    await at(400);
    expect(check.disabled).toBe(true);
    await at(900);
    expect(check.disabled).toBe(false);
    expect(accept.disabled).toBe(true);
    await fireEvent.click(check);
    expect(accept.disabled).toBe(false);
    await fireEvent.click(accept);
    const call = asked.find((one) => one.command === 'accept_agreement');
    expect(call?.args['evidence']).toMatchObject({
      end_reached: ['kk', 'ru'],
      languages_shown: ['kk', 'ru'],
    });
  });

  it('finds words in both languages and moves among them', async () => {
    open(first);
    await screen.findByTestId('agreement-kk');
    const field = screen.getByTestId('find');
    await fireEvent.input(field, { target: { value: 'title' } });
    await screen.findByText('1 / 2');
    await fireEvent.keyDown(field, { code: 'F3' });
    await screen.findByText('2 / 2');
    await fireEvent.keyDown(field, { code: 'F3' });
    await screen.findByText('1 / 2');
    await fireEvent.keyDown(field, { code: 'F3', shiftKey: true });
    await screen.findByText('2 / 2');
    await fireEvent.click(screen.getByTitle('F3'));
    await screen.findByText('1 / 2');
    await fireEvent.click(screen.getByTitle('Shift F3'));
    await screen.findByText('2 / 2');
  });

  it('asks once before a refusal is recorded', async () => {
    open(first);
    const decline = () => screen.findByTestId('decline');
    const focused = () => document.activeElement;
    // The safe choice has the focus; both ways back lead to where one was.
    await fireEvent.click(await decline());
    expect(focused()).toBe(screen.getByTestId('decline-back'));
    await fireEvent.keyDown(focused() as Element, { code: 'Escape' });
    const again = await decline();
    await waitFor(() => expect(focused()).toBe(again));
    await fireEvent.click(again);
    await fireEvent.click(screen.getByTestId('decline-back'));
    const last = await decline();
    await waitFor(() => expect(focused()).toBe(last));
    await fireEvent.click(last);
    expect(asked.some((one) => one.command === 'decline_agreement')).toBe(false);
    await fireEvent.click(screen.getByTestId('decline-confirm'));
    expect(asked.some((one) => one.command === 'decline_agreement')).toBe(true);
  });
});

describe('trouble', () => {
  it('names the code and offers the file chooser where a profile is missing', async () => {
    open(
      state(
        {
          name: 'blocked',
          error: { code: 'profile-missing', retry_after_seconds: null },
          can_start_anew: false,
        },
        { site: null },
      ),
    );
    const error = await screen.findByTestId('error');
    expect(error.getAttribute('data-code')).toBe('profile-missing');
    expect(screen.getByTestId('find-profile')).toBeTruthy();
  });
});

describe('return', () => {
  it('says how to go on after a wrong passphrase', async () => {
    answer('sign_in', () => {
      throw { code: 'passphrase-wait', retry_after_seconds: 8 } as unknown as Error;
    });
    const row = {
      person_id: 'aa',
      login: 'a.test',
      name: 'A. Test',
      registered: true,
      revoked: false,
      offline_until: person.offline_until,
      read_only_until: '2099-01-08T00:00:00Z',
      last_sign_in: null,
    };
    open(state({ name: 'return', people: [row] }));
    const list = await screen.findByTestId('person-select');
    expect(list.querySelector('[data-login="a.test"]')).toBeTruthy();
    await fireEvent.input(screen.getByTestId('passphrase'), { target: { value: 'wrong words here' } });
    await fireEvent.click(screen.getByTestId('sign-in'));
    const error = await screen.findByTestId('error');
    expect(error.getAttribute('data-code')).toBe('passphrase-wait');
    expect(document.activeElement).toBe(screen.getByTestId('passphrase'));
  });
});

describe('donors', () => {
  const row = {
    id: 'd-1',
    family: 'Family',
    given: 'Given',
    patronymic: null,
    birth_date: '1985-07-15',
    iin_last4: '0129',
    blood: { abo: 'A', rh: '-', kell: '-' },
    blood_conflict: false,
    deferral: 'permanent',
    training: true,
    matched: null,
  } as const;
  const card: DonorCard = {
    id: 'd-1',
    family: 'Family',
    given: 'Given',
    patronymic: null,
    birth_date: '1985-07-15',
    sex: 'female',
    age: 41,
    iin: '850715400129',
    iin_valid: true,
    iin_warnings: [],
    same_iin: 0,
    donor_number: 'D-1',
    training: true,
    deferrals: [
      {
        kind: 'permanent',
        reason_kk: 'kk reason',
        reason_ru: 'ru reason',
        from: '2020-01-01',
        until: null,
        days_left: null,
        by: null,
        rule: null,
        verified: false,
      },
    ],
    blood: { abo: 'A', rh: '-', kell: '-' },
    blood_conflict: [],
    donations: [],
    next_dates: [],
    screening: [],
    phenotype: [],
    vitals: [],
    phone: null,
    not_understood: 0,
    logged_at: '2026-11-22T04:47:00Z',
    as_of: '2026-11-22T04:41:00Z',
  };

  it('opens a card with the deferral before the name', async () => {
    answer('search_donors', (): DonorPage => ({ total: 1, rows: [{ ...row }], next: null }));
    answer('open_donor', () => card);
    open(state({ name: 'unlocked', person }));
    await fireEvent.click(await screen.findByTestId('donor-row'));
    const shown = await screen.findByTestId('donor-card');
    await waitFor(() => expect(shown.textContent).toContain('kk reason'));
    const text = shown.textContent ?? '';
    expect(text.indexOf('kk reason')).toBeLessThan(text.indexOf('Given'));
    expect(asked.filter((one) => one.command === 'open_donor')).toHaveLength(1);
    expect(screen.getAllByText('оқу деректері')).toHaveLength(2);
  });

  it('forgets the list when the workstation is locked', async () => {
    answer('search_donors', (): DonorPage => ({ total: 1, rows: [{ ...row }], next: null }));
    open(state({ name: 'unlocked', person }));
    await screen.findByTestId('donor-row');
    emit(state({ name: 'return', people: [] }));
    await waitFor(() => expect(screen.queryByTestId('donor-row')).toBeNull());
  });
});
