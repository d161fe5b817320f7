// Stock and recipients in both languages: what a clinician has to see, in words and signs.
import { fireEvent, render, screen, waitFor, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';

import { answer, asked, reset, state } from './backend';
import { component, inventory, recipientCard, recipientRow } from './blood';
import * as sample from './sample';
import App from '../src/App.svelte';
import type { Lang } from '../src/lib/backend';

const words = {
  kk: {
    few: 'аз',
    none: 'жоқ',
    unverified: 'расталмаған',
    rule: 'Сақтау мерзімінің ережесі: order 140',
    present: 'анықталды',
    irradiated: 'сәулеленген',
    unclear: 'Түсініксіз жазба саны: 2',
  },
  ru: {
    few: 'мало',
    none: 'нет',
    unverified: 'не подтв.',
    rule: 'Правило срока хранения: order 140',
    present: 'выявлены',
    irradiated: 'облучённые',
    unclear: 'Непонятных записей: 2',
  },
};

beforeEach(() => {
  reset();
  answer('search_donors', () => ({ total: 1, rows: [sample.row], next: null }));
  answer('inventory', () => inventory);
  answer('search_recipients', () => ({ total: 1, rows: [recipientRow], next: null }));
  answer('open_recipient', () => recipientCard);
});

async function open(language: Lang, section: string) {
  answer('get_state', () => state(sample.unlocked, { language }));
  render(App);
  await fireEvent.click(await screen.findByTestId(section));
}

describe.each<Lang>(['kk', 'ru'])('%s', (language) => {
  const say = words[language];

  it('stock says how many, what is low and what expires', async () => {
    await open(language, 'inventory');
    const shown = await screen.findByTestId('inventory');
    await within(shown).findAllByRole('table');
    const cells = [...shown.querySelectorAll<HTMLElement>('tbody tr:first-child td[data-group]')];
    expect(cells.map((one) => one.dataset['group'])).toEqual([
      'O+',
      'O-',
      'A+',
      'A-',
      'B+',
      'B-',
      'AB+',
      'AB-',
    ]);
    const [soon, low, plain, , , , now, empty] = cells;
    expect(low?.textContent).toContain(say.few);
    expect(low?.className).toContain('low');
    expect(soon?.querySelector('.st.warn svg')).toBeTruthy();
    expect(now?.querySelector('.st.danger svg')).toBeTruthy();
    expect(plain?.querySelector('svg')).toBeNull();
    expect(plain?.textContent).toContain('12');
    expect(empty?.textContent).toContain('0');
    expect(empty?.textContent).toContain(say.none);
    expect(within(shown).getAllByText(say.unverified)).toHaveLength(5);
    // Expired, without a date and without a group are told apart from the count.
    expect(shown.querySelector('tbody tr')?.textContent).toMatch(/: 3[^]*: 1[^]*: 2/);
    expect(shown.textContent).not.toMatch(/inventory\.|product\.|%\{/);
    expect(screen.getByTestId('expiring').textContent).toContain('17');
    // Where the shelf lives come from stands there for everybody; once, where all come from one order.
    expect(shown.querySelector('.matrix [title]')).toBeNull();
    expect(screen.getByTestId('shelf-rule').textContent).toBe(say.rule);
  });

  it('of several rules for shelf lives each names its products', async () => {
    const [first, ...others] = inventory.products;
    answer('inventory', () => ({ ...inventory, products: [{ ...first, rule: 'order 7' }, ...others] }));
    await open(language, 'inventory');
    const told = (await screen.findByTestId('shelf-rule')).textContent;
    expect(told).toMatch(/: order 7 \([^()]+\); order 140 \([^()]+, [^()]+\)$/);
  });

  it('the chart says its numbers to who listens, for the product that was chosen', async () => {
    await open(language, 'inventory');
    const chart = await screen.findByTestId('expiry-chart');
    expect(chart.getAttribute('aria-label')).toContain('0–3: 2; 4–7: 0; 8+: 106');
    expect(chart.getAttribute('aria-label')).toContain('SAGM');
    await fireEvent.click(screen.getByRole('button', { name: /CPDA-1/ }));
    await waitFor(() => expect(chart.getAttribute('aria-label')).toContain('CPDA-1'));
  });

  it('what is shown of the stock is chosen, and an older answer never wins', async () => {
    let late: (found: unknown) => void = () => undefined;
    answer('inventory', ({ filter }) =>
      filter === 'available'
        ? new Promise((resolve) => (late = resolve))
        : { ...inventory, expiring: [component] },
    );
    await open(language, 'inventory');
    await fireEvent.click(await screen.findByTestId('inventory-quarantine'));
    await screen.findByTestId('expiring');
    late({ ...inventory, expiring: [] });
    await new Promise((done) => setTimeout(done, 20));
    expect(within(screen.getByTestId('expiring')).getAllByTestId('din')).toHaveLength(1);
    expect(asked.filter((one) => one.command === 'inventory').map((one) => one.args['filter'])).toEqual([
      'available',
      'quarantine',
    ]);
  });

  it('stock that cannot be had says why and how to go on', async () => {
    answer('inventory', () => {
      throw { code: 'patient-locked', retry_after_seconds: null } as unknown as Error;
    });
    await open(language, 'inventory');
    expect((await screen.findByTestId('error')).dataset['code']).toBe('patient-locked');
  });

  it('a recipient shows group, antibodies and requirements before what was given', async () => {
    await open(language, 'recipients');
    await fireEvent.click(await within(screen.getByTestId('recipients')).findByTestId('recipient-row'));
    const card = await screen.findByTestId('recipient-card');
    const text = card.textContent ?? '';
    const places = ['Қасымова', 'анти-K', say.irradiated, '21.11.2026'].map((word) => text.indexOf(word));
    expect(places.every((place) => place >= 0)).toBe(true);
    expect(within(card).getByText(say.present).className).toContain('danger');
    // A code that nobody knows stands as it is; both groups that disagree stand there.
    expect(text).toContain('something-new');
    expect(card.querySelectorAll('.bg')).toHaveLength(3);
    expect(text).toContain(say.unclear);
    expect(text).not.toMatch(/recipient\.|product\.|%\{/);
    // The data are old: it is said at the group and at every part.
    expect(within(card).getAllByTestId('age').length).toBeGreaterThanOrEqual(5);
    expect(asked.filter((one) => one.command === 'open_recipient')).toHaveLength(1);
  });
});
