// Every screen in both languages against the rules of WCAG 2 A and AA that need no layout (contrast is a matter of the tokens).
import { fireEvent, render, screen } from '@testing-library/svelte';
import axe from 'axe-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { answer, emit, reset, state } from './backend';
import { inventory, recipientCard, recipientRow } from './blood';
import * as sample from './sample';
import App from '../src/App.svelte';
import type { Lang, Screen, State } from '../src/lib/backend';

async function violations() {
  const { violations } = await axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
    rules: { 'color-contrast': { enabled: false } },
  });
  return violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join('\n')}`);
}

beforeEach(() => {
  reset();
  document.title = 'Info Blood';
  answer('get_agreement', () => sample.agreement);
  answer('check_code', ({ code }) => ({ ok: false, normalized: code }));
  answer('check_passphrase', () => ({ score: 1, errors: ['passphrase-weak'] }));
  answer('search_donors', () => ({ total: 1, rows: [sample.row], next: null }));
  answer('open_donor', () => sample.card);
  answer('open_donation', () => sample.donation);
  answer('lookback', () => sample.lookback);
  answer('access_log', () => sample.accesses);
  answer('inventory', () => inventory);
  answer('search_recipients', () => ({ total: 1, rows: [recipientRow], next: null }));
  answer('open_recipient', () => recipientCard);
  answer('show_qr', () => ({ svg: '<svg/>', url: 'https://server/relay#x' }));
  answer('courier_export', () => ({ path: '/files/out.ibpack', items: 37 }));
  answer('sign_in', () => {
    throw { code: 'passphrase-wait', retry_after_seconds: 8 } as unknown as Error;
  });
});

afterEach(() => (document.title = ''));

interface Case {
  name: string;
  screen: Screen;
  more?: Partial<State>;
  /** What one does on the screen before it is looked at. */
  act?: () => Promise<unknown>;
}

const click = async (id: string) => fireEvent.click(await screen.findByTestId(id));
const type = async (id: string, value: string) =>
  fireEvent.input(await screen.findByTestId(id), { target: { value } });

const cases: Case[] = [
  {
    name: 'blocked',
    screen: {
      name: 'blocked',
      error: { code: 'profile-missing', retry_after_seconds: null },
      can_start_anew: false,
    },
  },
  {
    name: 'agreement',
    screen: { name: 'agreement', declined: true, has_people: true, person: null },
    act: async () => {
      await screen.findByTestId('agreement-kk');
      await type('find', 'a');
    },
  },
  {
    name: 'declining',
    screen: { name: 'agreement', declined: false, has_people: false, person: null },
    act: () => click('decline'),
  },
  {
    name: 'identify',
    screen: sample.identify,
    act: async () => {
      await type('enrol-code', '7K3QM-9XT2B-4HW8D-V6RCE-0');
      await type('passphrase', 'words');
      await screen.findByTestId('sign');
    },
  },
  {
    name: 'registering',
    screen: { name: 'registering', progress: sample.progress },
    act: () => click('show-qr'),
  },
  {
    name: 'return',
    screen: { name: 'return', people: sample.people },
    act: async () => {
      await type('passphrase', 'wrong words here');
      await click('sign-in');
      await screen.findByTestId('error');
    },
  },
  {
    name: 'donors',
    screen: sample.unlocked,
    act: async () => {
      await click('donor-row');
      await screen.findByTestId('donor-card');
    },
  },
  {
    name: 'inventory',
    screen: sample.unlocked,
    act: async () => {
      await click('inventory');
      await screen.findByTestId('expiry-chart');
    },
  },
  {
    name: 'donation',
    screen: sample.unlocked,
    act: async () => {
      await click('donor-row');
      await click('din');
      await screen.findByTestId('donation-card');
    },
  },
  {
    name: 'lookback',
    screen: sample.unlocked,
    act: async () => {
      await click('donor-row');
      await click('din');
      await click('open-lookback');
      await screen.findByTestId('lookback');
    },
  },
  {
    name: 'recipients',
    screen: sample.unlocked,
    act: async () => {
      await click('recipients');
      await click('recipient-row');
      await screen.findByTestId('recipient-card');
    },
  },
  {
    name: 'access log',
    screen: sample.unlocked,
    act: async () => {
      await click('access-log');
      await screen.findAllByTestId('access-row');
    },
  },
  {
    name: 'settings',
    screen: sample.unlocked,
    act: () => click('settings'),
  },
  {
    name: 'purpose of access',
    screen: sample.unlocked,
    act: async () => {
      await click('purpose');
      await screen.findByTestId('purpose-dialog');
    },
  },
  {
    name: 'break-glass',
    screen: sample.readOnly,
    act: () => click('break-glass'),
  },
  {
    name: 'keys',
    screen: sample.unlocked,
    act: async () => {
      await click('settings');
      await click('settings-keys');
      await screen.findByTestId('keys-dialog');
    },
  },
  {
    name: 'a card that is older than the data, and nobody behind a filter',
    screen: sample.unlocked,
    act: async () => {
      await click('donor-row');
      await screen.findByTestId('donor-card');
      emit(state(sample.unlocked, { data_changes: 1 }));
      await screen.findByTestId('stale');
      answer('search_donors', () => ({ total: 0, rows: [], next: null }));
      await fireEvent.change(screen.getByTestId('filter-blood'), { target: { value: 'AB-' } });
      await screen.findByTestId('widen');
    },
  },
  {
    name: 'idle',
    screen: sample.unlocked,
    more: { idle_lock_minutes: 0.001 },
    act: () => screen.findByTestId('idle-warning'),
  },
  {
    name: 'return with the ways',
    screen: { name: 'return', people: sample.people },
    more: { sync: sample.sync, terms_change: { version: 2, effective_from: '2026-12-01T00:00:00Z' } },
    act: () => click('return-sync'),
  },
  {
    name: 'forgotten passphrase',
    screen: { name: 'return', people: sample.people },
    act: () => click('forgot'),
  },
  {
    name: 'change of the passphrase',
    screen: { name: 'return', people: sample.people },
    act: () => click('change-passphrase'),
  },
  {
    name: 'beginning anew',
    screen: {
      name: 'blocked',
      error: { code: 'keyring-lost', retry_after_seconds: null },
      can_start_anew: true,
    },
    act: () => click('start-anew'),
  },
  {
    name: 'new terms',
    screen: sample.renewing,
    act: () => screen.findByTestId('changes'),
  },
  { name: 'proof', screen: sample.unlocked, act: () => click('proof-card') },
  {
    name: 'sync',
    screen: sample.unlocked,
    more: {
      sync: { ...sample.sync, alarm: 'server-restored' },
      reading: { done: 1, total: 4 },
      terms_change: { version: 2, effective_from: '2026-12-01T00:00:00Z' },
    },
    act: async () => {
      await click('sync-screen');
      await click('courier-export');
    },
  },
  {
    name: 'a new code',
    screen: sample.unlocked,
    more: { sync: sample.sync, left_out: 2 },
    act: async () => {
      await click('sync-screen');
      await click('new-code');
    },
  },
];

describe.each<Lang>(['kk', 'ru'])('%s', (language) => {
  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    const connection = one.name === 'registering' ? 'offline' : 'online';
    if (one.name === 'new terms') answer('get_agreement', () => sample.renewed);
    answer('get_state', () => state(one.screen, { language, connection, ...one.more }));
    render(App);
    await screen.findByTestId('status-bar');
    await one.act?.();
    expect(await violations()).toEqual([]);
  });
});
