// From a card to its donation, to everybody it reached, and back.
import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';

import { answer, asked, reset, state } from './backend';
import { inventory, recipientCard, recipientRow } from './blood';
import * as sample from './sample';
import App from '../src/App.svelte';
import type { DonorCard, Lang } from '../src/lib/backend';

const card: DonorCard = {
  ...sample.card,
  donations: Array.from({ length: 9 }, (_, index) => ({
    date: `2026-0${String(9 - index)}-02`,
    din: `A12342600001${String(index)}`,
    din_check: 'K',
    kind: 'whole-blood',
    volume_ml: 450,
    status: index === 0 ? 'not-done' : 'completed',
  })),
  next_dates: [
    {
      kind: 'whole-blood',
      date: '2026-12-21',
      days: 28,
      blocked_by: 'deferral',
      rule: 'order 102',
      verified: false,
    },
  ],
  screening: [
    {
      date: '2026-09-02',
      din: 'A123426000010',
      results: [{ code: 'hiv', value: 'negative', number: null }],
      groups: [],
    },
  ],
  phenotype: [{ antigen: 'Cw', present: true, conflict: [] }],
  vitals: [{ code: 'hb', value: '112', unit: 'g/L', date: '2026-11-20' }],
  phone: '+7 701 000 00 00',
  not_understood: 1,
  same_iin: 2,
  as_of: '2026-11-19T04:41:00Z',
};

beforeEach(() => {
  reset();
  answer('search_donors', () => ({ total: 1, rows: [sample.row], next: null }));
  answer('open_donor', () => card);
  answer('open_donation', ({ din }) => ({ ...sample.donation, din }));
  answer('lookback', ({ din }) => ({ ...sample.lookback, din }));
  answer('inventory', () => inventory);
  answer('search_recipients', () => ({ total: 1, rows: [recipientRow], next: null }));
  answer('open_recipient', () => recipientCard);
});

async function open(language: Lang = 'kk') {
  answer('get_state', () => state(sample.unlocked, { language }));
  render(App);
  await screen.findByTestId('donor-search');
}

const click = async (id: string) => fireEvent.click(await screen.findByTestId(id));
const dins = (command: string) =>
  asked.filter((one) => one.command === command).map((one) => one.args['din']);

describe.each<Lang>(['kk', 'ru'])('%s', (language) => {
  it('a donor’s card has everything, each with its age while the data are old', async () => {
    await open(language);
    await click('donor-row');
    const shown = await screen.findByTestId('donor-card');
    const text = shown.textContent ?? '';
    const order = [language === 'kk' ? 'kk reason' : 'ru reason', 'Given', '+7 701 000 00 00', '21.12.2026'];
    const places = order.map((word) => text.indexOf(word));
    expect(places.every((place, index) => place > (places[index - 1] ?? -1))).toBe(true);
    for (const part of ['timeline', 'next-dates', 'screening', 'body'])
      expect(screen.getByTestId(part).querySelector('[data-testid="age"]')).toBeTruthy();
    expect(shown.querySelector('.banner [data-testid="age"]')).toBeTruthy();
    expect(text).toContain(language === 'kk' ? 'Түсініксіз жазба саны: 1' : 'Непонятных записей: 1');
    expect(text).toContain(
      language === 'kk' ? 'Осы ЖСН көрсетілген басқа жазба саны: 2' : 'Других записей с этим ИИН: 2',
    );
    expect(text).not.toMatch(/card\.|screening\.|%\{/);
    // The older donations come when asked for.
    const timeline = screen.getByTestId('timeline');
    expect(timeline.querySelectorAll('li')).toHaveLength(6);
    await fireEvent.click(timeline.querySelector('.more') as HTMLElement);
    expect(timeline.querySelectorAll('li')).toHaveLength(9);
  });

  it('leads to the donation, to all it reached and back, step by step', async () => {
    await open(language);
    await click('donor-row');
    await screen.findByTestId('donor-card');
    await fireEvent.click(screen.getAllByTestId('din')[1] as HTMLElement);
    await screen.findByTestId('donation-card');
    await click('open-lookback');
    const lookback = await screen.findByTestId('lookback');
    expect(lookback.closest('.record')?.textContent).toContain('A. Test');
    await fireEvent.keyDown(window, { code: 'Escape' });
    await screen.findByTestId('donation-card');
    await fireEvent.keyDown(window, { code: 'Escape' });
    await screen.findByTestId('donor-card');
    // Nothing was asked for twice.
    expect(dins('open_donation')).toEqual(['A123426000011']);
    expect(dins('lookback')).toEqual(['A123426000011']);
    expect(asked.filter((one) => one.command === 'open_donor')).toHaveLength(1);
  });
});

describe('a record that would act', () => {
  it('is text, however long', async () => {
    const acts = '<img src=x onerror="window.acted = true"><script>window.acted = true</script>';
    const family = `${acts}${'Ұ'.repeat(10_000)}`;
    answer('search_donors', () => ({
      total: 1,
      rows: [{ ...sample.row, family, matched: acts }],
      next: null,
    }));
    answer('open_donor', () => ({ ...card, family, donor_number: acts, phone: acts }));
    answer('open_donation', () => ({
      ...sample.donation,
      donor_name: family,
      components: [{ ...sample.component, component_id: acts, place: acts }],
    }));
    await open();
    await click('donor-row');
    const shown = await screen.findByTestId('donor-card');
    expect(shown.textContent).toContain(acts);
    await fireEvent.click(screen.getAllByTestId('din')[1] as HTMLElement);
    expect((await screen.findByTestId('donation-card')).textContent).toContain(acts);
    expect(document.querySelector('img, article script')).toBeNull();
    expect('acted' in window).toBe(false);
  });
});

describe('from the stock and from recipients', () => {
  it('what expires leads to its donation, and that to its donor', async () => {
    await open();
    await click('inventory');
    await screen.findByTestId('expiring');
    await fireEvent.click(screen.getAllByTestId('din')[0] as HTMLElement);
    await screen.findByTestId('donation-card');
    await click('donation-donor');
    await screen.findByTestId('donor-card');
    expect(screen.queryByTestId('donation-card')).toBeNull();
  });

  it('a transfusion leads to its donation, a section leaves it', async () => {
    await open();
    await click('recipients');
    await click('recipient-row');
    await screen.findByTestId('recipient-card');
    await fireEvent.click(screen.getAllByTestId('din')[0] as HTMLElement);
    await screen.findByTestId('donation-card');
    await fireEvent.keyDown(window, { code: 'Digit2', altKey: true });
    await screen.findByTestId('inventory');
    expect(screen.queryByTestId('donation-card')).toBeNull();
  });

  it('a donation that is not here says so', async () => {
    answer('open_donation', () => {
      throw { code: 'donation-unknown', retry_after_seconds: null } as unknown as Error;
    });
    await open();
    await click('donor-row');
    await screen.findByTestId('donor-card');
    await fireEvent.click(screen.getAllByTestId('din')[1] as HTMLElement);
    expect((await screen.findByTestId('error')).dataset['code']).toBe('donation-unknown');
    await click('back');
    await waitFor(() => expect(screen.queryByTestId('error')).toBeNull());
  });
});
