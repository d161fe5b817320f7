// A cache that is not whole: what is not there is not told as a fact, and nothing of it as fresh.
import { fireEvent, render, screen, waitFor, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';

import { answer, emit, reset, state } from './backend';
import { recipientCard, recipientRow } from './blood';
import * as sample from './sample';
import App from '../src/App.svelte';
import type { DonorCard, Lang, Lookback } from '../src/lib/backend';

const words = {
  kk: {
    part: 'толық емес',
    bar: 'Деректер әлі толық емес',
    deferral: 'Шеттету бар-жоғы белгісіз',
    row: 'шеттету белгісіз',
    found: 'іздегеніңіз кейін келуі мүмкін',
    facts: ['тіркелмеген', 'анықталмаған', 'жазылмаған', 'аралық өтті', 'жазба жоқ', 'Ешкімге берілмеген'],
  },
  ru: {
    part: 'неполные',
    bar: 'Данные ещё не полные',
    deferral: 'Есть ли отвод, неизвестно',
    row: 'отвод неизвестен',
    found: 'нужное может прийти позже',
    facts: ['не записаны', 'не определен', 'интервал выдержан', 'Записей об', 'Никому не выдано'],
  },
};
const row = { ...sample.row, deferral: 'none' as const };
const card: DonorCard = {
  ...sample.card,
  deferrals: [],
  blood_conflict: [],
  donations: [],
  next_dates: [
    { kind: 'plasma', date: '2026-11-01', days: -22, blocked_by: null, rule: null, verified: true },
  ],
  as_of: null,
};
const nobody: Lookback = {
  ...sample.lookback,
  reason: null,
  further_donors: [],
  components: [],
  recipients: [],
  donations: [],
  as_of: null,
};

describe.each<Lang>(['kk', 'ru'])('data that are not whole, in %s', (language) => {
  const say = words[language];

  beforeEach(() => {
    reset();
    answer('get_state', () => state(sample.unlocked, { language, data_as_of: null }));
    answer('search_donors', () => ({ total: 1, rows: [row], next: null }));
    answer('open_donor', () => card);
  });

  it('the bar says so in the place of an age', async () => {
    render(App);
    await screen.findByTestId('donor-search');
    expect(screen.getByTestId('status-bar').textContent).toContain(say.bar);
    emit(state(sample.unlocked, { language, data_as_of: '2026-11-22T04:41:00Z' }));
    await waitFor(() => expect(screen.getByTestId('status-bar').textContent).not.toContain(say.bar));
  });

  it('a list says so, and that somebody is free of deferrals in none of its rows', async () => {
    render(App);
    const one = await screen.findByTestId('donor-row');
    expect(one.textContent).toContain(say.row);
    expect(one.querySelector('.st.ok')).toBeNull();
    expect(within(screen.getByTestId('donors')).getAllByTestId('part')).toHaveLength(1);
    answer('search_donors', () => ({ total: 0, rows: [], next: null }));
    await fireEvent.input(screen.getByTestId('donor-search'), { target: { value: 'касымова' } });
    await screen.findByText(new RegExp(say.found));
  });

  it('a donor card has no fact that there is nothing', async () => {
    render(App);
    await fireEvent.click(await screen.findByTestId('donor-row'));
    const shown = await screen.findByTestId('donor-card');
    expect(shown.querySelector('.banner.part')?.textContent).toContain(say.deferral);
    expect(shown.querySelector('.banner.none')).toBeNull();
    for (const fact of say.facts) expect(shown.textContent).not.toContain(fact);
    expect(within(shown).getAllByTestId('part').length).toBeGreaterThanOrEqual(5);
    expect(shown.textContent).toContain(say.bar);
    expect(shown.textContent).not.toMatch(/part\.|card\.|%\{/);
  });

  it('a recipient card has none either', async () => {
    answer('search_recipients', () => ({ total: 1, rows: [recipientRow], next: null }));
    answer('open_recipient', () => ({
      ...recipientCard,
      blood: null,
      blood_conflict: [],
      antibodies: [],
      requirements: [],
      requests: [],
      transfusions: [],
      reactions: [],
      as_of: null,
    }));
    render(App);
    await fireEvent.click(await screen.findByTestId('recipients'));
    await fireEvent.click(await screen.findByTestId('recipient-row'));
    const shown = await screen.findByTestId('recipient-card');
    for (const fact of say.facts) expect(shown.textContent).not.toContain(fact);
    expect(within(shown).getAllByTestId('part').length).toBeGreaterThanOrEqual(5);
  });

  it('a look back that found nobody does not say that nobody was reached', async () => {
    answer('open_donor', () => ({ ...sample.card, as_of: null }));
    answer('open_donation', () => ({ ...sample.donation, components: [], screening: null, as_of: null }));
    answer('lookback', () => nobody);
    render(App);
    await fireEvent.click(await screen.findByTestId('donor-row'));
    const timeline = await screen.findByTestId('timeline');
    await fireEvent.click(within(timeline).getByRole('button'));
    const donation = await screen.findByTestId('donation-card');
    for (const fact of say.facts) expect(donation.textContent).not.toContain(fact);
    await fireEvent.click(screen.getByTestId('open-lookback'));
    const shown = await screen.findByTestId('lookback');
    for (const fact of say.facts) expect(shown.textContent).not.toContain(fact);
    expect(shown.textContent).not.toMatch(/: 0(?!\d)/);
  });

  it('stock is not counted, and so nothing is low or none', async () => {
    answer('inventory', () => ({
      products: [],
      expiring: [],
      expiring_total: 0,
      not_understood: 0,
      as_of: null,
    }));
    render(App);
    await fireEvent.click(await screen.findByTestId('inventory'));
    expect((await screen.findByTestId('inventory-part')).textContent).toContain(say.bar);
    const shown = screen.getByTestId('inventory');
    expect(shown.querySelector('table, svg[role="img"]')).toBeNull();
    expect(within(shown).getByTestId('part').textContent).toContain(say.part);
  });
});
