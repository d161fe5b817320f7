import { render, screen, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { answer, asked, reset } from './backend';
import type { Lang } from '../src/lib/backend';
import { useLanguage } from '../src/lib/i18n.svelte';
import Donation from '../src/screens/donations/Donation.svelte';
import Body from '../src/screens/donors/Body.svelte';
import NextDates from '../src/screens/donors/NextDates.svelte';
import Lookback from '../src/screens/lookback/Lookback.svelte';
import { donation, lookback } from './sample';

const zone = 'Asia/Almaty';
const who = 'Нұрланова Айгүл';
const languages: Lang[] = ['kk', 'ru'];

describe.each(languages)('donation in %s', (language) => {
  beforeEach(() => {
    useLanguage(language);
    return () => vi.unstubAllGlobals();
  });
  const say = (kk: string, ru: string) => (language === 'kk' ? kk : ru);

  it('shows the tree, where each went, and what disagrees', () => {
    const ondonor = vi.fn();
    const onlookback = vi.fn();
    const onrecipient = vi.fn();
    render(Donation, { card: donation, who, zone, ondonor, onrecipient, onlookback });
    const rows = screen.getAllByTestId('component');
    expect(rows).toHaveLength(3);
    const [whole, cells, plasma] = rows.map((row) => row.textContent);
    expect(whole).toContain(say('бөлінді', 'переработано'));
    expect(cells).toContain(say('Құйылды', 'Перелито'));
    expect(cells).toContain('Реципиент Бір');
    expect(plasma).toContain(say('қан тобы сәйкес келмейді', 'группа крови расходится'));
    expect(plasma).toContain(say('мерзімі өтті', 'срок истёк'));
    expect(screen.getByTestId('donation-card').textContent).toContain(
      say('Осы нөмірмен тағы бір жазба бар', 'Под этим номером есть ещё записи'),
    );
    screen.getByTestId('donation-donor').click();
    expect(ondonor).toHaveBeenCalledWith('d-1');
    screen.getByTestId('open-lookback').click();
    expect(onlookback).toHaveBeenCalledWith(donation.din);
    within(rows[1] ?? document.body)
      .getByRole('button')
      .click();
    expect(onrecipient).toHaveBeenCalledWith('r-1');
  });

  it('leads to no donor who is not here', () => {
    const call = { ondonor: vi.fn(), onrecipient: vi.fn(), onlookback: vi.fn() };
    render(Donation, { card: { ...donation, donor_name: null }, who, zone, ...call });
    expect(screen.queryByTestId('donation-donor')).toBeNull();
    expect(screen.getByTestId('donation-card').textContent).toContain(
      say('донор дерегі бұл жұмыс орнында жоқ', 'данных о доноре на этом рабочем месте нет'),
    );
  });

  it('says where a component may have gone besides what is understood', () => {
    const call = { ondonor: vi.fn(), onrecipient: vi.fn(), onlookback: vi.fn() };
    const components = donation.components.map((part) => ({ ...part, way_unclear: true }));
    render(Donation, { card: { ...donation, components }, who, zone, ...call });
    const rows = screen.getAllByTestId('component').map((row) => row.textContent);
    expect(rows).toHaveLength(3);
    for (const row of rows)
      expect(row).toContain(
        say(
          'берілгені немесе құйылғаны туралы түсініксіз жазба бар',
          'о выдаче или переливании есть непонятная запись',
        ),
      );
    expect(rows[1]).toContain('Реципиент Бір');
  });

  it('looks back to everybody, on the screen and on paper', async () => {
    reset();
    const call = { ondonor: vi.fn(), onrecipient: vi.fn(), ondonation: vi.fn(), onback: vi.fn() };
    render(Lookback, { facts: lookback, who, zone, ...call });
    const people = screen.getAllByTestId('lookback-recipient').map((row) => row.textContent);
    expect(people).toHaveLength(2);
    expect(people[0]).toContain('03.11.2026');
    expect(people[1]).toContain(say('құйылғаны тіркелмеген', 'переливание не записано'));
    const text = screen.getByTestId('lookback').textContent;
    expect(text).toContain(say('Тексеру нәтижесі теріс емес', 'Результат обследования не отрицательный'));
    expect(document.querySelector('.record')?.textContent).toContain(who);
    // Records name another donor: named, too, and one way to the card.
    expect(text).toContain(say('басқа донор да аталған, саны: 1', 'назван и другой донор, всего: 1'));
    within(screen.getByTestId('further-donor')).getByRole('button').click();
    expect(call.ondonor).toHaveBeenCalledWith('d-2');
    const printed = vi.fn();
    vi.stubGlobal('print', printed);
    screen.getByTestId('print').click();
    await vi.waitFor(() => {
      expect(printed).toHaveBeenCalledOnce();
    });
    expect(asked).toEqual([
      { command: 'take_away', args: { taking: 'print', patients: ['d-1', 'd-2', 'r-1', 'r-2'] } },
    ]);
    // Where it may not be recorded nothing is printed.
    answer('take_away', () => {
      throw { code: 'read-only-time', retry_after_seconds: null } as unknown as Error;
    });
    screen.getByTestId('print').click();
    await screen.findByTestId('error');
    expect(printed).toHaveBeenCalledOnce();
  });

  it('never promises a next donation', () => {
    render(NextDates, {
      dates: [
        {
          kind: 'whole-blood',
          date: '2026-12-01',
          days: 8,
          blocked_by: 'interval',
          rule: 'R',
          verified: false,
        },
        { kind: 'plasma', date: '2026-11-01', days: -22, blocked_by: null, rule: 'R', verified: true },
        { kind: 'platelets', date: null, days: null, blocked_by: 'deferral', rule: null, verified: true },
      ],
    });
    const text = screen.getByTestId('next-dates').textContent;
    expect(text).toContain('01.12.2026');
    expect(text).toContain(say('аралық өтті', 'интервал выдержан'));
    expect(text).toContain(say('шеттету тұрғанда болмайды', 'нельзя, пока действует отвод'));
    expect(text).toContain(say('Бұл рұқсат емес', 'Это не допуск'));
    expect(text).toContain(say('ереже расталмаған', 'правило не подтверждено'));
  });

  it('says what is on the cells and what was measured', () => {
    render(Body, {
      phenotype: [
        { antigen: 'C', present: true, conflict: [] },
        {
          antigen: 'K',
          present: true,
          conflict: [
            {
              present: true,
              sources: [{ date: '2026-01-02', din: 'A123426000010', laboratory: null, record: 'o-1' }],
            },
            { present: false, sources: [{ date: null, din: null, laboratory: null, record: 'o-2' }] },
          ],
        },
      ],
      vitals: [{ code: 'hb', value: '142', unit: 'g/L', date: '2026-10-01' }],
    });
    const text = screen.getByTestId('body').textContent;
    expect(text).toContain(say('нәтижелер сәйкес келмейді', 'результаты расходятся'));
    expect(text).toContain('142 g/L 01.10.2026');
    const [found, absent] = within(screen.getByTestId('disagreement')).getAllByRole('listitem');
    expect(found?.textContent).toContain(
      `+ ${say('бар', 'есть')} 02.01.2026 · ${say('қан тапсыру', 'донация')} A1234 26 000010`,
    );
    expect(absent?.textContent).toContain(
      `− ${say('жоқ', 'нет')} ${say('күні жазылмаған', 'дата не записана')}`,
    );
    expect(absent?.textContent).toContain('o-2');
  });
});
