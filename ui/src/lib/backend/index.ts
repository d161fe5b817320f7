// The only seam to the shell: every command and the one event. Everything else imports from here.
import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import type {
  AgreementView,
  AppError,
  CodeCheck,
  DonorCard,
  DonorPage,
  Evidence,
  Lang,
  PassphraseCheck,
  SavedProof,
  State,
} from './bindings';

export type * from './bindings';

export const backend = {
  getState: () => invoke<State>('get_state'),
  setLanguage: (language: Lang) => invoke<void>('set_language', { language }),
  getAgreement: () => invoke<AgreementView>('get_agreement'),
  acceptAgreement: (evidence: Evidence) => invoke<void>('accept_agreement', { evidence }),
  declineAgreement: (evidence: Evidence) => invoke<void>('decline_agreement', { evidence }),
  openAgreement: () => invoke<void>('open_agreement'),
  backToPeople: () => invoke<void>('back_to_people'),
  checkCode: (code: string) => invoke<CodeCheck>('check_code', { code }),
  checkPassphrase: (login: string, passphrase: string) =>
    invoke<PassphraseCheck>('check_passphrase', { login, passphrase }),
  sign: (login: string, code: string, passphrase: string) =>
    invoke<void>('sign', { login, code, passphrase }),
  syncNow: () => invoke<void>('sync_now'),
  saveProof: (personId: string) => invoke<SavedProof>('save_proof', { personId }),
  signIn: (personId: string, passphrase: string) => invoke<void>('sign_in', { personId, passphrase }),
  lock: () => invoke<void>('lock'),
  touch: () => invoke<void>('touch'),
  useProfile: (text: string) => invoke<void>('use_profile', { text }),
  searchDonors: (query: string, after: string | null) => invoke<DonorPage>('search_donors', { query, after }),
  openDonor: (id: string) => invoke<DonorCard>('open_donor', { id }),
  /** Calls back with every new state; the promise gives the function that ends it. */
  onState: (changed: (state: State) => void) =>
    listen<State>('state', (event) => {
      changed(event.payload);
    }),
};

/** What a command rejected with, whatever it was. */
export function asError(reason: unknown): AppError {
  if (typeof reason === 'object' && reason !== null && 'code' in reason) {
    return reason as AppError;
  }
  return { code: 'internal', retry_after_seconds: null };
}
