// What one person has before them while the workstation is open: the section, what is looked for, what is open and the way there. It
// ends with the lock, so the next one finds nothing of it.
import {
  backend,
  type DonationCard,
  type DonorCard,
  type DonorFilter,
  type DonorRow,
  type InventoryFilter,
  type Lookback,
  type RecipientCard,
  type RecipientRow,
} from './backend';
import { Opened, type Kept } from './opened.svelte';
import { Pages } from './pages.svelte';
import { Scans } from './scans.svelte';

export type Section = 'donors' | 'inventory' | 'recipients' | 'access' | 'sync' | 'settings' | 'proof';

/** Lies above the section until one goes back. */
export interface Above {
  kind: 'donation' | 'lookback';
  din: string;
}

/** Where one was, with the cards as they were read: going back is no new look. */
interface Place {
  name: string;
  section: Section;
  above: Above | null;
  donor: Kept<DonorCard>;
  recipient: Kept<RecipientCard>;
  donation: Kept<DonationCard>;
  lookback: Kept<Lookback>;
}

/** No more places than these lead back: whoever scans all day leaves no endless way behind. */
const WAY = 24;

export class Desk {
  section = $state<Section>('donors');
  above = $state.raw<Above | null>(null);
  /** As the state of the app tells. */
  changes = $state(0);
  /** The day on which the data were last brought up to date: deferrals and expiries change with the day alone. */
  day = $state('');
  /** Somebody wants to type into the field of the search; it takes the focus and says so. */
  isSearchWanted = $state(false);
  private readonly now = () => this.changes;
  readonly donation = new Opened<DonationCard>((din) => backend.openDonation(din), this.now);
  readonly lookback = new Opened<Lookback>((din) => backend.lookback(din), this.now);
  donorFilter = $state.raw<DonorFilter>({ blood: null, deferral: null });
  readonly donors = new Pages<DonorRow>((query, after) =>
    backend.searchDonors(query, this.donorFilter, after),
  );
  readonly donor = new Opened<DonorCard>((id) => backend.openDonor(id), this.now);
  readonly recipients = new Pages<RecipientRow>((query, after) => backend.searchRecipients(query, after));
  readonly recipient = new Opened<RecipientCard>((id) => backend.openRecipient(id), this.now);
  stockFilter = $state<InventoryFilter>('available');
  /** The product of the chart; null: nobody picked one. */
  stockProduct = $state<number | null>(null);
  readonly scans = new Scans(this);
  /** The newest last. */
  private way = $state.raw<Place[]>([]);

  /** Whether there is somewhere to go back to. */
  readonly hasWay = $derived(this.way.length > 0);

  /** What lists and stock answer; with another one they ask again. */
  get data(): string {
    return `${String(this.changes)} ${this.day}`;
  }

  /** What is before one, by name. */
  get place(): string {
    if (this.above) return `${this.above.kind} ${this.above.din}`;
    const id =
      this.section === 'donors' ? this.donor.id : this.section === 'recipients' ? this.recipient.id : null;
    return `${this.section} ${id ?? ''}`;
  }

  /** A new beginning: no way leads back from it. */
  go(section: Section): void {
    this.way = [];
    this.enter(section);
  }

  /** To the field of a search: that of the section, or the donors'. */
  toSearch(): void {
    this.isSearchWanted = true;
    if (this.above || !['donors', 'recipients'].includes(this.section)) this.go('donors');
  }

  /** Until its card, or why there is none, has come. */
  async openDonation(din: string): Promise<void> {
    await this.show({ kind: 'donation', din });
  }

  openLookback(din: string): void {
    void this.show({ kind: 'lookback', din });
  }

  /** To where one came from, or out of the card that is open. */
  back(): void {
    // Chosen in the list meanwhile, the place before may be this one.
    const way = this.way.filter((place) => place.name !== this.place);
    const place = way.at(-1);
    this.way = way.slice(0, -1);
    if (!place) {
      if (this.above) this.enter(this.section);
      else if (this.section === 'donors') this.donor.close();
      else if (this.section === 'recipients') this.recipient.close();
      return;
    }
    this.section = place.section;
    this.above = place.above;
    this.donor.restore(place.donor);
    this.recipient.restore(place.recipient);
    this.donation.restore(place.donation);
    this.lookback.restore(place.lookback);
  }

  findDonors(query: string): void {
    this.leave('donors ');
    this.enter('donors');
    this.donor.close();
    // A number means one donor, whoever the list was about.
    this.donorFilter = { blood: null, deferral: null };
    this.donors.query = query;
  }

  openDonor(id: string): void {
    this.leave(`donors ${id}`);
    this.enter('donors');
    void this.donor.open(id);
  }

  findRecipients(query: string): void {
    this.leave('recipients ');
    this.enter('recipients');
    this.recipient.close();
    this.recipients.query = query;
  }

  openRecipient(id: string): void {
    this.leave(`recipients ${id}`);
    this.enter('recipients');
    void this.recipient.open(id);
  }

  private async show(above: Above): Promise<void> {
    this.leave(`${above.kind} ${above.din}`);
    this.above = above;
    const opened = this[above.kind];
    if (opened.id !== above.din || !opened.card) await opened.open(above.din);
  }

  private enter(section: Section): void {
    this.section = section;
    this.above = null;
    this.donation.close();
    this.lookback.close();
  }

  /** Keeps the place, unless one is there already; of places of the same name only the newest. */
  private leave(to: string): void {
    const name = this.place;
    if (name === to) return;
    const here: Place = {
      name,
      section: this.section,
      above: this.above,
      donor: this.donor.keep(),
      recipient: this.recipient.keep(),
      donation: this.donation.keep(),
      lookback: this.lookback.keep(),
    };
    this.way = [...this.way.filter((place) => place.name !== name && place.name !== to), here].slice(-WAY);
  }
}
