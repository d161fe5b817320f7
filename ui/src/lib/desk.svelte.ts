// What one person has before them while the workstation is open: the section, what is looked for and what is open. It ends with
// the lock, so the next one finds nothing of it.
import {
  backend,
  type DonationCard,
  type DonorCard,
  type DonorFilter,
  type DonorRow,
  type Lookback,
  type RecipientCard,
  type RecipientRow,
} from './backend';
import { Opened } from './opened.svelte';
import { Pages } from './pages.svelte';

export type Section = 'donors' | 'inventory' | 'recipients' | 'access' | 'sync' | 'settings' | 'proof';

/** Lies above the section until one goes back. */
export interface Above {
  kind: 'donation' | 'lookback';
  din: string;
}

export class Desk {
  section = $state<Section>('donors');
  /** The newest last. */
  above = $state.raw<Above[]>([]);
  readonly donation = new Opened<DonationCard>((din) => backend.openDonation(din));
  readonly lookback = new Opened<Lookback>((din) => backend.lookback(din));
  donorFilter = $state.raw<DonorFilter>({ blood: null, deferral: null });
  readonly donors = new Pages<DonorRow>((query, after) =>
    backend.searchDonors(query, this.donorFilter, after),
  );
  readonly donor = new Opened<DonorCard>((id) => backend.openDonor(id));
  readonly recipients = new Pages<RecipientRow>((query, after) => backend.searchRecipients(query, after));
  readonly recipient = new Opened<RecipientCard>((id) => backend.openRecipient(id));

  go(section: Section): void {
    this.section = section;
    this.above = [];
    this.donation.close();
    this.lookback.close();
  }

  openDonation(din: string): void {
    this.show([...this.above, { kind: 'donation', din }]);
  }

  openLookback(din: string): void {
    this.show([...this.above, { kind: 'lookback', din }]);
  }

  /** What lay below is still open; another number is asked for again. */
  back(): void {
    this.show(this.above.slice(0, -1));
  }

  private show(above: Above[]): void {
    this.above = above;
    const top = above.at(-1);
    if (!top) return;
    const opened = this[top.kind];
    if (opened.id !== top.din || !opened.card) void opened.open(top.din);
  }

  findDonors(query: string): void {
    this.go('donors');
    this.donor.close();
    // A number means one donor, whoever the list was about.
    this.donorFilter = { blood: null, deferral: null };
    this.donors.query = query;
  }

  openDonor(id: string): void {
    this.go('donors');
    void this.donor.open(id);
  }

  findRecipients(query: string): void {
    this.go('recipients');
    this.recipient.close();
    this.recipients.query = query;
  }

  openRecipient(id: string): void {
    this.go('recipients');
    void this.recipient.open(id);
  }
}
