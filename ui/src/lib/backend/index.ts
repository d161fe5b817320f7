// The only seam to the shell: every command and the one event. Everything else imports from here.
import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';

import { look } from './look';
import type {
  AccessPage,
  AgreementView,
  AppError,
  CodeCheck,
  DonationCard,
  DonorCard,
  DonorFilter,
  DonorPage,
  Evidence,
  FileTaken,
  FramesTaken,
  Inventory,
  InventoryFilter,
  Lang,
  Lookback,
  PassphraseCheck,
  Purpose,
  QrCode,
  RecipientCard,
  RecipientPage,
  SavedPack,
  SavedProof,
  Scan,
  State,
  Taking,
} from './bindings';

export type * from './bindings';
export { beforeLook } from './look';

/** Bytes of one piece of a chosen file. */
const PIECE = 1024 * 1024;

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
  searchDonors: (query: string, filter: DonorFilter, after: string | null) =>
    invoke<DonorPage>('search_donors', { query, filter, after }),
  openDonor: (id: string) => look<DonorCard>('open_donor', { id }),
  openDonation: (din: string) => look<DonationCard>('open_donation', { din }),
  lookback: (din: string) => look<Lookback>('lookback', { din }),
  inventory: (filter: InventoryFilter) => invoke<Inventory>('inventory', { filter }),
  searchRecipients: (query: string, after: string | null) =>
    invoke<RecipientPage>('search_recipients', { query, after }),
  openRecipient: (id: string) => look<RecipientCard>('open_recipient', { id }),
  readScan: (text: string) => invoke<Scan>('read_scan', { text }),
  choosePurpose: (purpose: Purpose) => invoke<void>('choose_purpose', { purpose }),
  accessLog: (after: string | null) => invoke<AccessPage>('access_log', { after }),
  /** Before anything is printed or copied; only what this allowed may leave the screen. */
  takeAway: (taking: Taking, patients: string[]) => look<void>('take_away', { taking, patients }),
  startAnew: () => invoke<void>('start_anew'),
  breakGlass: (reason: string) => invoke<void>('break_glass', { reason }),
  showQr: (personId: string) => invoke<QrCode>('show_qr', { personId }),
  relayFrame: (text: string) => invoke<FramesTaken>('relay_frame', { text }),
  retryItem: (id: string) => invoke<void>('retry_item', { id }),
  acceptAgain: (evidence: Evidence, passphrase: string) =>
    invoke<void>('accept_again', { evidence, passphrase }),
  declineAgain: (evidence: Evidence, passphrase: string) =>
    invoke<void>('decline_again', { evidence, passphrase }),
  changePassphrase: (personId: string, old: string, fresh: string) =>
    invoke<void>('change_passphrase', { personId, old, new: fresh }),
  courierExport: () => invoke<SavedPack>('courier_export'),
  /** Reads a chosen file, piece by piece: an answer, or another site's file to forward. */
  readFile: async (file: Blob) => {
    await invoke<void>('upload_begin');
    for (let at = 0; at < file.size; at += PIECE) {
      const piece = await file.slice(at, at + PIECE).arrayBuffer();
      await invoke<void>('upload_piece', new Uint8Array(piece));
    }
    return invoke<FileTaken>('upload_end');
  },
  cancelReading: () => invoke<void>('upload_cancel'),
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
