// What one person has before them while the workstation is open: the section, what is looked for and what is open. It ends with
// the lock, so the next one finds nothing of it.
import {
  backend,
  type DonorCard,
  type DonorFilter,
  type DonorRow,
  type RecipientCard,
  type RecipientRow,
} from './backend';
import { Opened } from './opened.svelte';
import { Pages } from './pages.svelte';

export type Section = 'donors' | 'inventory' | 'recipients' | 'sync' | 'proof';

export class Desk {
  section = $state<Section>('donors');
  donorFilter = $state.raw<DonorFilter>({ blood: null, deferral: null });
  readonly donors = new Pages<DonorRow>((query, after) =>
    backend.searchDonors(query, this.donorFilter, after),
  );
  readonly donor = new Opened<DonorCard>((id) => backend.openDonor(id));
  readonly recipients = new Pages<RecipientRow>((query, after) => backend.searchRecipients(query, after));
  readonly recipient = new Opened<RecipientCard>((id) => backend.openRecipient(id));

  findDonors(query: string): void {
    this.section = 'donors';
    this.donor.close();
    // A number means one donor, whoever the list was about.
    this.donorFilter = { blood: null, deferral: null };
    this.donors.query = query;
  }

  openDonor(id: string): void {
    this.section = 'donors';
    void this.donor.open(id);
  }

  findRecipients(query: string): void {
    this.section = 'recipients';
    this.recipient.close();
    this.recipients.query = query;
  }

  openRecipient(id: string): void {
    this.section = 'recipients';
    void this.recipient.open(id);
  }
}
