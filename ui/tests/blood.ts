// Stock and recipients as the shell tells of them.
import type {
  ComponentRow,
  Inventory,
  InventoryCell,
  ProductStock,
  RecipientCard,
  RecipientRow,
} from '../src/lib/backend';

export const component: ComponentRow = {
  id: 'c-1',
  component_id: 'KZ00126005902-platelets-00',
  din: 'KZ00126005902',
  din_check: 'P',
  product: 'platelets',
  division: '00',
  blood: { abo: 'O', rh: '+', kell: null },
  blood_conflict: [],
  status: 'available',
  expires: '2026-11-23',
  days_left: 1,
  soon: 'now',
  place: 'incubator 1',
  parent: null,
  depth: 0,
  gone_to: null,
  way_unclear: false,
  not_understood: false,
};

const groups = (['O', 'A', 'B', 'AB'] as const).flatMap((abo) =>
  (['+', '-'] as const).map((rh) => ({ abo, rh })),
);

const cell = (index: number, more: Partial<InventoryCell> = {}): InventoryCell => ({
  ...(groups[index] ?? { abo: 'O', rh: '+' }),
  count: 10 + index,
  nearest_days: 9 + index,
  low: false,
  soon: 'none',
  ...more,
});

const stock = (product: ProductStock['product'], shelf: number | null): ProductStock => ({
  product,
  shelf_days: shelf,
  rule: shelf === null ? null : 'order 140',
  verified: false,
  cells: groups.map((_, index) => cell(index)),
  unknown_group: 0,
  total: 108,
  expired: 0,
  unknown_expiry: 0,
  expiry_buckets: [
    { from_days: 0, to_days: 3, count: 2 },
    { from_days: 4, to_days: 7, count: 0 },
    { from_days: 8, to_days: null, count: 106 },
  ],
});

export const inventory: Inventory = {
  products: [
    {
      ...stock('red-cells-sagm', 42),
      cells: groups.map((_, index) =>
        cell(
          index,
          [
            { soon: 'soon' as const, nearest_days: 6 },
            { low: true, soon: 'soon' as const, nearest_days: 3 },
            {},
            {},
            {},
            { low: true },
            { soon: 'now' as const, nearest_days: 0 },
            { count: 0, nearest_days: null, low: true },
          ][index],
        ),
      ),
      unknown_group: 2,
      expired: 3,
      unknown_expiry: 1,
    },
    stock('red-cells-cpda1', 35),
    stock('platelets', 5),
    stock('ffp', 1095),
    stock('cryo', 1095),
  ],
  expiring: [
    component,
    {
      ...component,
      id: 'c-2',
      din: 'KZ00126005588',
      din_check: 'D',
      product: 'red-cells-sagm',
      blood: { abo: 'O', rh: '-', kell: null },
      days_left: 3,
      place: null,
    },
  ],
  expiring_total: 17,
  not_understood: 1,
  as_of: '2026-11-22T04:41:00Z',
};

export const recipientRow: RecipientRow = {
  id: 'r-1',
  family: 'Қасымова',
  given: 'Given',
  patronymic: 'Patronymic',
  birth_date: '1985-07-15',
  iin_last4: '0129',
  blood: { abo: 'A', rh: '-', kell: '-' },
  blood_conflict: false,
  not_understood: false,
  training: true,
  matched: 'қ→к',
};

export const recipientCard: RecipientCard = {
  id: 'r-1',
  family: 'Қасымова',
  given: 'Given',
  patronymic: null,
  birth_date: '1985-07-15',
  sex: 'female',
  age: 41,
  iin: '850715400129',
  iin_valid: true,
  iin_warnings: [],
  same_iin: 0,
  training: true,
  blood: { abo: 'O', rh: '-', kell: null },
  blood_conflict: [
    {
      blood: { abo: 'O', rh: '-', kell: null },
      sources: [{ date: '2026-02-03', din: null, laboratory: 'Lab 1', record: 'o-1' }],
    },
    {
      blood: { abo: 'A', rh: '-', kell: null },
      sources: [{ date: '2026-03-04', din: null, laboratory: null, record: 'o-2' }],
    },
  ],
  antibodies: [
    {
      code: 'anti-K',
      present: true,
      conflict: [
        { present: true, sources: [{ date: '2020-05-06', din: null, laboratory: 'Lab 2', record: 'o-3' }] },
        { present: false, sources: [{ date: '2026-07-08', din: null, laboratory: null, record: 'o-4' }] },
      ],
    },
    { code: 'anti-D', present: false, conflict: [] },
  ],
  requirements: ['irradiated', 'something-new'],
  requests: [
    {
      id: 'q-1',
      product: 'red-cells-sagm',
      quantity: 2,
      status: 'completed',
      priority: 'urgent',
      date: '2026-11-20T04:00:00Z',
      organization: 'Hospital 7',
    },
  ],
  transfusions: [
    {
      date: '2026-11-21T04:00:00Z',
      din: 'KZ00126005902',
      product: 'red-cells-sagm',
      component_id: 'KZ00126005902-red-cells-sagm-00',
      reaction: 'fever',
    },
    { date: '2026-10-02T04:00:00Z', din: null, product: null, component_id: null, reaction: null },
  ],
  reactions: [
    {
      date: '2026-11-21T05:00:00Z',
      code: 'fever',
      seriousness: 'non-serious',
      component_id: 'KZ00126005902-red-cells-sagm-00',
      din: 'KZ00126005902',
    },
  ],
  not_understood: 2,
  logged_at: '2026-11-22T04:47:00Z',
  as_of: '2026-11-19T04:41:00Z',
};
