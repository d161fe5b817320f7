// Nothing that is uncertain looks as if all were well: what disagrees, is not understood or is not known says so in words.
import { render, screen, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { recipientCard, recipientRow, component } from './blood';
import type { BloodGroup, DonorCard as Card, DonorRow, Lang } from '../src/lib/backend';
import { useLanguage } from '../src/lib/i18n.svelte';
import Components from '../src/screens/donations/Components.svelte';
import Donation from '../src/screens/donations/Donation.svelte';
import DeferralBanner from '../src/screens/donors/DeferralBanner.svelte';
import DonorCard from '../src/screens/donors/DonorCard.svelte';
import DonorItem from '../src/screens/donors/DonorItem.svelte';
import NextDates from '../src/screens/donors/NextDates.svelte';
import Screening from '../src/screens/donors/Screening.svelte';
import Timeline from '../src/screens/donors/Timeline.svelte';
import Expiring from '../src/screens/inventory/Expiring.svelte';
import RecipientCard from '../src/screens/recipients/RecipientCard.svelte';
import RecipientItem from '../src/screens/recipients/RecipientItem.svelte';
import Reactions from '../src/screens/recipients/Reactions.svelte';
import * as sample from './sample';

const zone = 'Asia/Almaty';
const who = 'Нұрланова Айгүл';
const asOf = sample.card.as_of;

const words = {
  kk: {
    unclear: 'түсініксіз жазба бар',
    mark: 'қан тобы сәйкес келмейді',
    label: 'компоненттің заттаңбасында',
    group: 'Қан тобы',
    none: 'Шеттету тіркелмеген',
    among: 'шеттету солардың ішінде болуы мүмкін',
    since: 'Басталған күні',
    kind: 'түрі түсініксіз',
    stopped: 'тоқтатылды',
    birth: 'туған күні ЖСН-ге сәйкес емес',
    sex: 'жынысы ЖСН-ге сәйкес емес',
    unknown: 'күні есептелмейді',
  },
  ru: {
    unclear: 'есть непонятные записи',
    mark: 'группа крови расходится',
    label: 'на этикетке компонента',
    group: 'Группа крови',
    none: 'Отводы не записаны',
    among: 'отвод может быть среди них',
    since: 'С какого дня',
    kind: 'вид непонятен',
    stopped: 'прервана',
    birth: 'дата рождения не соответствует ИИН',
    sex: 'пол не соответствует ИИН',
    unknown: 'день не вычисляется',
  },
};

const checks = (root: ParentNode) => root.querySelectorAll('.st.ok');

describe.each<Lang>(['kk', 'ru'])('%s', (language) => {
  const say = words[language];
  beforeEach(() => {
    useLanguage(language);
  });

  const item = (more: Partial<DonorRow>) =>
    render(DonorItem, { row: { ...sample.row, ...more }, query: '', tagged: false, whole: true }).container;
  const donor = (more: Partial<Card>) =>
    render(DonorCard, { card: { ...sample.card, ...more }, who, zone, ondonation: vi.fn() }).container;
  const donation = (more: Partial<typeof sample.donation>) =>
    render(Donation, {
      card: { ...sample.donation, ...more },
      who,
      zone,
      ondonor: vi.fn(),
      onrecipient: vi.fn(),
      onlookback: vi.fn(),
    }).container;

  it('a row of what is not understood has no check, and says so', () => {
    const row = item({ deferral: 'unclear' });
    expect(row.textContent).toContain(say.unclear);
    expect(checks(row)).toHaveLength(0);
    expect(row.querySelector('.st.warn svg')).toBeTruthy();
    expect(checks(item({ deferral: 'none' }))).toHaveLength(1);
    const recipient = (not_understood: boolean) =>
      render(RecipientItem, { row: { ...recipientRow, not_understood }, query: '', tagged: false }).container
        .textContent;
    expect(recipient(true)).toContain(say.unclear);
    expect(recipient(false)).not.toContain(say.unclear);
  });

  it('a safer value never stands in a list without its doubt', () => {
    const marked = (root: ParentNode) => within(root as HTMLElement).queryAllByText(say.mark).length;
    expect(marked(item({ blood_conflict: true }))).toBe(1);
    expect(marked(item({ blood_conflict: true, blood: null }))).toBe(1);
    expect(marked(item({}))).toBe(0);
    const row = { ...recipientRow, blood_conflict: true };
    expect(marked(render(RecipientItem, { row, query: '', tagged: false }).container)).toBe(1);
    const two = {
      ...component,
      blood_conflict: [recipientRow.blood, component.blood]
        .filter((one) => one !== null)
        .map((blood) => ({ blood, sources: [] })),
    };
    expect(
      marked(render(Expiring, { rows: [two, { ...component, id: 'c-9' }], asOf, total: 2 }).container),
    ).toBe(1);
    expect(marked(donation({ blood_conflict: sample.card.blood_conflict }))).toBe(1);
    expect(marked(donation({}))).toBe(0);
  });

  it('a label that does not say the donor’s group names both sources', () => {
    const card = donation({});
    const row = card.querySelector('[data-testid="component"] ul') as HTMLElement;
    const told = [...row.querySelectorAll('[data-testid="sources"]')].map((one) => one.textContent);
    expect(told).toHaveLength(2);
    expect(told[0]).toBe(say.label);
    expect(told[1]).toContain('Laboratory');
    expect(told[1]).toContain('01.10.2026');
  });

  it('the group of a donation stands in its row, and two that disagree say so', () => {
    const cells = (groups: BloodGroup[]) => {
      const rows = [{ ...sample.results, groups }];
      const table = render(Screening, { rows, asOf }).container;
      return {
        badges: table.querySelectorAll('td .bg').length,
        marks: table.querySelectorAll('td .st.danger').length,
        text: table.textContent,
      };
    };
    const one = { abo: 'A', rh: '+', kell: '-' } as const;
    const before = cells([]);
    expect(before.badges).toBe(0);
    expect(before.text).not.toContain(say.group);
    const alone = cells([one]);
    expect([alone.badges, alone.marks - before.marks]).toEqual([1, 0]);
    expect(alone.text).toContain(say.group);
    expect(alone.text).toContain('K−');
    const two = cells([one, { ...one, rh: '-' }]);
    expect([two.badges, two.marks - before.marks]).toEqual([2, 1]);
  });

  it('a component is as pressing wherever it stands', () => {
    const row = (soon: 'none' | 'soon' | 'now') => ({
      ...component,
      status: 'available' as const,
      days_left: 10,
      soon,
    });
    const tone = (root: ParentNode) =>
      [...root.querySelectorAll('td .st')]
        .filter((one) => one.textContent.includes('10'))
        .map((one) =>
          one.className.includes('danger') ? 'danger' : one.className.includes('warn') ? 'warn' : 'mute',
        );
    for (const [soon, expected] of [
      ['none', 'mute'],
      ['soon', 'warn'],
      ['now', 'danger'],
    ] as const) {
      expect(tone(render(Components, { components: [row(soon)], asOf, zone }).container)).toEqual([expected]);
    }
    for (const [soon, expected] of [
      ['soon', 'warn'],
      ['now', 'danger'],
    ] as const) {
      expect(tone(render(Expiring, { rows: [row(soon)], asOf, total: 1 }).container)).toEqual([expected]);
    }
  });

  it('a disagreement says who found which, Kell too', () => {
    const kell = (value: '+' | '-', record: string) => ({
      blood: { abo: 'A' as const, rh: '+' as const, kell: value },
      sources: [{ date: '2026-01-02', din: null, laboratory: null, record }],
    });
    for (const card of [
      donor({ blood_conflict: [kell('+', 'o-1'), kell('-', 'o-2')] }),
      render(RecipientCard, {
        card: { ...recipientCard, antibodies: [], blood_conflict: [kell('-', 'o-2'), kell('+', 'o-1')] },
        who,
        zone,
      }).container,
      donation({ blood_conflict: [kell('+', 'o-1'), kell('-', 'o-2')] }),
    ]) {
      const badges = [...card.querySelectorAll('.note.danger .bg')].map((badge) => badge.textContent);
      expect(badges).toHaveLength(2);
      expect(badges[0]).not.toBe(badges[1]);
      expect(badges.join(' ')).toContain('K−');
      const sources = [...card.querySelectorAll('[data-testid=sources]')].map((one) => one.textContent);
      expect(sources[0]).toContain('02.01.2026');
      expect(sources.join(' ')).toMatch(/o-1.*o-2|o-2.*o-1/);
    }
    const text = donor({}).textContent;
    expect(text).toContain('A1234 26 000010');
    expect(text).toContain('№ 2 зертхана');
    expect(text).toContain('o-0');
    expect(text).not.toMatch(/card\.|%\{/);
  });

  it('antibodies that disagree say who found which', () => {
    render(RecipientCard, { card: recipientCard, who, zone });
    const [found, absent] = within(screen.getByTestId('disagreement')).getAllByRole('listitem');
    expect(found?.textContent).toContain('06.05.2020 · Lab 2');
    expect(absent?.textContent).toContain('08.07.2026');
  });

  it('what the IIN says otherwise is a warning beside it', () => {
    const text = donor({ iin_warnings: ['birth-date', 'sex'] }).textContent;
    expect(text).toContain(say.birth);
    expect(text).toContain(say.sex);
    expect(donor({}).textContent).not.toContain(say.birth);
    const card = { ...recipientCard, iin_warnings: ['sex' as const] };
    expect(render(RecipientCard, { card, who, zone }).container.textContent).toContain(say.sex);
  });

  it('a timeline says what of a donation is not known, or did not end as usual', () => {
    const [completed] = sample.card.donations;
    if (!completed) throw new Error('there is one');
    render(Timeline, {
      donations: [
        { ...completed, kind: null },
        { ...completed, status: 'stopped' },
        { ...completed, status: 'in-progress' },
        { ...completed, status: 'on-hold' },
        { ...completed, status: 'unknown' },
        completed,
      ],
      asOf,
      ondonation: vi.fn(),
    });
    const rows = within(screen.getByTestId('timeline')).getAllByRole('listitem');
    expect(rows[0]?.textContent).toContain(say.kind);
    expect(rows[1]?.textContent).toContain(say.stopped);
    for (const row of rows.slice(0, 5)) expect(row.querySelector('.st.warn svg')).toBeTruthy();
    expect(rows[5]?.querySelector('.st')).toBeNull();
    expect(screen.getByTestId('timeline').textContent).not.toMatch(/card\.|null|undefined/);
  });

  it('a date that cannot be computed is no clock that waits', () => {
    const next = {
      kind: 'plasma',
      date: null,
      days: null,
      blocked_by: null,
      rule: null,
      verified: false,
    } as const;
    render(NextDates, { dates: [next] });
    const said = within(screen.getByTestId('next-dates')).getByText(say.unknown);
    expect(said.className).toContain('warn');
  });

  it('a banner says only what is known', () => {
    const [deferral] = sample.card.deferrals;
    if (!deferral) throw new Error('there is one');
    const banner = (from: string) =>
      render(DeferralBanner, { deferral: { ...deferral, from } }).container.textContent;
    expect(banner('')).not.toContain(say.since);
    expect(banner('2020-01-01')).toContain('01.01.2020');
    expect(donor({ deferrals: [], not_understood: 2 }).textContent).toContain(say.among);
    expect(donor({ deferrals: [], not_understood: 0 }).textContent).not.toContain(say.among);
  });

  it('a donation says that its donor has no deferral, as the card does, and only where the donor is known', () => {
    expect(donation({ deferrals: [] }).textContent).toContain(say.none);
    expect(donation({ deferrals: [], donor_name: null }).textContent).not.toContain(say.none);
    expect(donation({ kind: null, status: 'stopped' }).textContent).toContain(say.kind);
    expect(donation({ kind: null, status: 'stopped' }).textContent).toContain(say.stopped);
    // Where the donation itself is not here, its kind is not spoken of.
    expect(donation({ kind: null, status: null }).textContent).not.toContain(say.kind);
  });

  it('a seriousness that nobody knows stands as it is', () => {
    const [reaction] = recipientCard.reactions;
    if (!reaction) throw new Error('there is one');
    const reactions = [{ ...reaction, seriousness: 'life-threatening' }];
    const { container } = render(Reactions, { reactions, asOf, zone });
    expect(container.textContent).toContain('life-threatening');
    expect(container.textContent).not.toContain('recipient.');
  });
});
