// Numbers that were scanned, or typed and sent off with Enter: what they open, and what is said where they open nothing.
import { asError, backend, type AppError, type Scan } from './backend';
import type { Desk } from './desk.svelte';
import { beep } from './sound';

export type Trouble = Extract<Scan, { kind: 'unknown' | 'wrong-check' }>;
export type Several = Extract<Scan, { kind: 'several' }>;

/** The trigger held too long reads the same label again. */
const TWICE = 1000;
/** No number that is written out is shorter. */
const SHORTEST = 12;

export class Scans {
  trouble = $state.raw<Trouble | null>(null);
  /** One number of a donor and of a recipient: which of them is meant? */
  both = $state.raw<Several | null>(null);
  error = $state<AppError | null>(null);
  private last = { text: '', at: -TWICE };

  constructor(private readonly desk: Desk) {}

  /** A scan; `undo` takes its keys out of the field they went to. */
  async take(text: string, undo: () => void): Promise<void> {
    const now = performance.now();
    const isAgain = text === this.last.text && now - this.last.at < TWICE;
    this.last = { text, at: now };
    if (isAgain) {
      undo();
      return;
    }
    this.close();
    try {
      const scan = await backend.readScan(text);
      if (scan.kind === 'unknown' || scan.kind === 'wrong-check') {
        this.trouble = scan;
        beep();
        return;
      }
      undo();
      await this.open(scan);
      const { id, error } = this.desk.donation;
      // A right number of nothing that is here: its screen says so.
      if (scan.kind === 'donation' && id === scan.din && error) beep();
    } catch (reason) {
      this.error = asError(reason);
      beep();
    }
  }

  /**
   * A text that somebody typed: true if it was a number, and dealt with. What is none, or belongs to nobody here, is a search.
   * `isMeant`: whether it still stands in the field when the answer comes.
   */
  async typed(text: string, isMeant: () => boolean): Promise<boolean> {
    if (text.replace(/\s/g, '').length < SHORTEST) return false;
    this.close();
    try {
      const scan = await backend.readScan(text);
      if (scan.kind === 'unknown') return false;
      if (!isMeant()) return true;
      if (scan.kind === 'wrong-check') this.trouble = scan;
      else await this.open(scan);
    } catch (reason) {
      if (isMeant()) this.error = asError(reason);
    }
    return true;
  }

  /** One has a card, more have a list. */
  donors({ text, donors: [id, another] }: Several): void {
    this.close();
    if (id && !another) this.desk.openDonor(id);
    else this.desk.findDonors(text);
  }

  recipients({ text, recipients: [id, another] }: Several): void {
    this.close();
    if (id && !another) this.desk.openRecipient(id);
    else this.desk.findRecipients(text);
  }

  close(): void {
    this.trouble = this.error = this.both = null;
  }

  private async open(scan: Exclude<Scan, Trouble>): Promise<void> {
    if (scan.kind === 'donation') await this.desk.openDonation(scan.din);
    else if (scan.kind === 'several' && scan.donors.length === 0) this.recipients(scan);
    else if (scan.kind === 'several' && scan.recipients.length === 0) this.donors(scan);
    else if (scan.kind === 'several') this.both = scan;
    else if (scan.kind === 'donor') this.desk.openDonor(scan.id);
    else this.desk.openRecipient(scan.id);
  }
}
