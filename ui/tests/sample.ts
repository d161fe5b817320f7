// One of each thing the shell tells of.
import type {
  AccessPage,
  AgreementView,
  ComponentRow,
  DonationCard,
  DonorCard,
  DonorRow,
  Lookback,
  PersonRow,
  Progress,
  Screen,
  ScreeningRow,
  SyncFacts,
} from '../src/lib/backend';

const document = { version: 1, sha256: 'cd'.repeat(32), effective_from: '2026-01-01T00:00:00Z' };

export const agreement: AgreementView = {
  facts: document,
  units: [
    { id: 1, kind: 'title', kk: ['kk title'], ru: ['ru title'] },
    { id: 2, kind: 'article', kk: ['kk article'], ru: ['ru article'] },
    { id: 3, kind: 'point', kk: ['kk one'], ru: ['ru lead', '', '• ru item'] },
  ],
  accepted: false,
  previous_version: null,
  changes: [],
};

export const identify: Screen = {
  name: 'identify',
  document,
  evidence: { opened_at: 1, visible_seconds: 432, languages_shown: ['kk', 'ru'], end_reached: ['ru'] },
};

export const progress: Progress = {
  stored_at: '2026-11-22T04:00:00Z',
  sent_at: null,
  receipt_verified_at: null,
  unlocked: false,
  attempts: 3,
  next_attempt_at: '2026-11-22T04:05:00Z',
  error: { code: 'server-unreachable', retry_after_seconds: null },
  login: 'a.test',
  person_id: 'aa',
  statement_id: 'ab'.repeat(32),
  signed_at: '2026-11-22T04:00:00Z',
  document,
  needs_passphrase: false,
};

export const people: PersonRow[] = [
  {
    person_id: 'aa',
    login: 'a.test',
    name: 'A. Test',
    registered: true,
    revoked: false,
    offline_until: '2099-01-01T00:00:00Z',
    read_only_until: '2099-01-08T00:00:00Z',
    last_sign_in: '2026-11-22T04:00:00Z',
  },
  {
    person_id: 'bb',
    login: 'b.test',
    name: null,
    registered: false,
    revoked: false,
    offline_until: null,
    read_only_until: null,
    last_sign_in: null,
  },
];

export const unlocked: Extract<Screen, { name: 'unlocked' }> = {
  name: 'unlocked',
  person: {
    person_id: 'aa',
    login: 'a.test',
    name: 'A. Test',
    role: 'clinician',
    offline_until: '2099-01-01T00:00:00Z',
    read_only_until: '2099-01-08T00:00:00Z',
    lease: 'ok',
    lease_days_left: 30,
    mode: 'full',
    may_break_glass: false,
    purpose: 'donation',
    last_purpose: 'donation',
    receipt: {
      statement_id: 'ab'.repeat(32),
      registered_at: '2026-11-22T04:00:00Z',
      tree_size: 4,
      leaf_index: 3,
    },
  },
};

export const readOnly: Screen = {
  name: 'unlocked',
  person: {
    ...unlocked.person,
    offline_until: '2026-11-20T04:00:00Z',
    read_only_until: '2026-11-27T04:00:00Z',
    lease: 'read-only',
    lease_days_left: 5,
    mode: 'read-only',
    may_break_glass: true,
  },
};

export const row: DonorRow = {
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
};

export const card: DonorCard = {
  id: 'd-1',
  family: 'Family',
  given: 'Given',
  patronymic: null,
  birth_date: '1985-07-15',
  sex: 'female',
  age: 41,
  iin: '850715400129',
  iin_valid: false,
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
  blood: null,
  blood_conflict: [
    {
      blood: { abo: 'A', rh: '+', kell: null },
      sources: [{ date: '2026-01-02', din: 'A123426000010', laboratory: null, record: 'o-2' }],
    },
    {
      blood: { abo: 'A', rh: '-', kell: null },
      sources: [
        { date: '2025-03-04', din: null, laboratory: '№ 2 зертхана', record: 'o-1' },
        { date: null, din: null, laboratory: null, record: 'o-0' },
      ],
    },
  ],
  donations: [
    {
      date: '2026-01-02',
      din: 'A12342600001',
      din_check: 'K',
      kind: 'whole-blood',
      volume_ml: 450,
      status: 'completed',
    },
  ],
  next_dates: [],
  screening: [],
  phenotype: [],
  vitals: [],
  phone: null,
  not_understood: 0,
  logged_at: '2026-11-22T04:47:00Z',
  as_of: '2026-11-22T04:41:00Z',
};

export const sync: SyncFacts = {
  phase: 'waiting',
  queues: [
    { kind: 'enrolment', waiting: 0, wedged: 0, last_success: '2026-10-07T04:00:00Z' },
    { kind: 'acceptance', waiting: 0, wedged: 1, last_success: null },
    { kind: 'device-refusal', waiting: 0, wedged: 0, last_success: null },
    { kind: 'audit-event', waiting: 37, wedged: 2, last_success: '2026-11-22T04:41:00Z' },
  ],
  last_success: '2026-11-22T04:41:00Z',
  courier_files: [
    {
      name: 'infoblood-20261121-110000.ibpack',
      saved_at: '2026-11-21T06:00:00Z',
      items: 37,
      answered_at: null,
    },
    {
      name: 'infoblood-20261107-100000.ibpack',
      saved_at: '2026-11-07T05:00:00Z',
      items: 12,
      answered_at: '2026-11-09T07:30:00Z',
    },
  ],
  next_attempt_at: '2026-11-22T04:51:00Z',
  delayed: true,
  wedged: [
    {
      id: 'w-1',
      kind: 'acceptance',
      created_at: '2026-11-07T04:00:00Z',
      attempts: 2,
      code: 'code-expired',
    },
    {
      id: 'w-2',
      kind: 'audit-event',
      created_at: '2026-11-21T11:20:00Z',
      attempts: 0,
      code: 'needs-courier',
    },
    {
      id: 'w-3',
      kind: 'audit-event',
      created_at: '2026-11-21T11:25:00Z',
      attempts: 3,
      code: 'internal',
    },
  ],
  alarm: null,
};

export const renewed: AgreementView = {
  ...agreement,
  facts: { ...document, version: 2 },
  previous_version: 1,
  changes: [
    {
      kind: 'changed',
      unit: 3,
      before: { kk: ['kk old'], ru: ['ru old'] },
      after: { kk: ['kk one'], ru: ['ru lead', '', '• ru item'] },
    },
    { kind: 'added', unit: 4, before: null, after: { kk: ['kk new'], ru: ['ru new'] } },
    { kind: 'removed', unit: null, before: { kk: ['kk gone'], ru: ['ru gone'] }, after: null },
  ],
};

export const renewing: Screen = {
  name: 'agreement',
  declined: false,
  has_people: true,
  person: { person_id: 'aa', name: 'A. Test' },
};

export const component: ComponentRow = {
  id: 'b-1',
  component_id: 'A123426000010-whole-blood-00',
  din: 'A123426000010',
  din_check: 'K',
  product: 'whole-blood',
  division: '00',
  blood: { abo: 'A', rh: '+', kell: null },
  blood_conflict: [],
  status: 'processed',
  expires: '2026-12-07',
  days_left: 14,
  soon: 'none',
  place: null,
  parent: null,
  depth: 0,
  gone_to: null,
  way_unclear: false,
  not_understood: false,
};

export const results: ScreeningRow = {
  date: '2026-11-01',
  din: 'A123426000010',
  results: [
    { code: 'hiv', value: 'negative', number: null },
    { code: 'hcv', value: 'positive', number: null },
    { code: 'alt', value: 'number', number: '31 U/L' },
  ],
  groups: [{ abo: 'A', rh: '+', kell: '-' }],
};

export const donation: DonationCard = {
  din: 'A123426000010',
  din_check: 'K',
  others: ['p-2'],
  donor_id: 'd-1',
  donor_name: 'Family Given',
  further_donors: [],
  date: '2026-11-01',
  kind: 'whole-blood',
  status: 'completed',
  volume_ml: 450,
  deferrals: [],
  screening: results,
  blood: { abo: 'A', rh: '+', kell: '-' },
  blood_conflict: [],
  components: [
    component,
    {
      ...component,
      id: 'b-2',
      component_id: 'A123426000010-red-cells-sagm-00',
      product: 'red-cells-sagm',
      status: 'transfused',
      parent: 'b-1',
      depth: 1,
      gone_to: {
        kind: 'transfused',
        at: '2026-11-03',
        recipient_id: 'r-1',
        recipient_name: 'Реципиент Бір',
        organization: 'Hospital',
      },
    },
    {
      ...component,
      id: 'b-3',
      component_id: 'A123426000010-ffp-00',
      product: 'ffp',
      status: 'available',
      expires: '2026-11-20T23:59:00+05:00',
      days_left: -2,
      parent: 'b-1',
      depth: 1,
      blood: { abo: 'A', rh: '-', kell: null },
      blood_conflict: [
        {
          blood: { abo: 'A', rh: '-', kell: null },
          sources: [{ date: null, din: null, laboratory: null, record: 'b-3' }],
        },
        {
          blood: { abo: 'A', rh: '+', kell: null },
          sources: [{ date: '2026-10-01', din: null, laboratory: 'Laboratory', record: 'o-1' }],
        },
      ],
    },
  ],
  training: true,
  not_understood: 0,
  logged_at: '2026-11-22T04:47:00Z',
  as_of: '2026-11-22T04:41:00Z',
};

export const lookback: Lookback = {
  din: donation.din,
  din_check: 'K',
  donor_id: 'd-1',
  donor_name: 'Family Given',
  further_donors: [{ id: 'd-2', name: 'Басқа Донор' }],
  date: '2026-11-01',
  reason: results,
  components: donation.components,
  others: [],
  donations: [{ din: 'A123425000011', date: '2025-08-01' }],
  recipients: [
    {
      id: 'r-1',
      name: 'Реципиент Бір',
      birth_date: '1970-01-02',
      component_id: 'A123426000010-red-cells-sagm-00',
      product: 'red-cells-sagm',
      transfused_at: '2026-11-03',
      organization: 'Hospital',
      reaction: 'fever',
    },
    {
      id: 'r-2',
      name: null,
      birth_date: null,
      component_id: 'A123426000010-ffp-00',
      product: 'ffp',
      transfused_at: null,
      organization: null,
      reaction: null,
    },
  ],
  training: true,
  not_understood: 1,
  logged_at: '2026-11-22T04:47:00Z',
  as_of: '2026-11-22T04:41:00Z',
};

export const accesses: AccessPage = {
  rows: [
    {
      sequence: 12,
      at: '2026-11-22T04:47:09Z',
      action: 'patient-read',
      permitted: true,
      reason: null,
      purpose: 'lookback',
      glass_broken: true,
      patient_id: 'd-1',
      patient_name: 'Family Given',
      donation: null,
      delivery: 'waiting',
    },
    {
      sequence: 11,
      at: '2026-11-22T04:46:00Z',
      action: 'patient-print',
      permitted: false,
      reason: 'read-only-time',
      purpose: 'donation',
      glass_broken: false,
      patient_id: 'd-gone',
      patient_name: null,
      donation: null,
      delivery: 'stuck',
    },
    {
      sequence: 10,
      at: '2026-11-22T04:45:00Z',
      action: 'sign-in',
      permitted: true,
      reason: null,
      purpose: null,
      glass_broken: false,
      patient_id: null,
      patient_name: null,
      donation: null,
      delivery: 'delivered',
    },
  ],
  next: '10',
};
