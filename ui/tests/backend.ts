// A recorder in the place of the shell: what was asked, and what the test answers.
import { vi } from 'vitest';

import type { State } from '../src/lib/backend';

type Answer = (args: Record<string, unknown>) => unknown;

export const asked: { command: string; args: Record<string, unknown> }[] = [];
const answers = new Map<string, Answer>();
let changed: ((state: State) => void) | undefined;

export function answer(command: string, with_: Answer): void {
  answers.set(command, with_);
}

export function emit(state: State): void {
  changed?.(state);
}

export function reset(): void {
  asked.length = 0;
  answers.clear();
}

vi.mock('@tauri-apps/api/core', () => ({
  invoke: (command: string, args: Record<string, unknown> = {}) => {
    asked.push({ command, args });
    try {
      return Promise.resolve(answers.get(command)?.(args));
    } catch (reason) {
      return Promise.reject(reason as Error);
    }
  },
}));

vi.mock('@tauri-apps/api/event', () => ({
  listen: (_name: string, callback: (event: { payload: State }) => void) => {
    changed = (payload) => callback({ payload });
    return Promise.resolve(() => (changed = undefined));
  },
}));

export function state(screen: State['screen'], more: Partial<State> = {}): State {
  return {
    screen,
    site: {
      code: 'KZ001',
      name_kk: 'kk',
      name_ru: 'ru',
      workstation: 'KZ001-07',
      time_zone: 'Asia/Almaty',
      support_contact: null,
    },
    connection: 'online',
    language: 'kk',
    version: '0.1.0',
    idle_lock_minutes: 10,
    data_as_of: null,
    left_out: 0,
    data_changes: 0,
    waiting: 0,
    sync: null,
    terms_change: null,
    reading: null,
    automation: false,
    ...more,
  };
}
