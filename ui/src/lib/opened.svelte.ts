// What is open: asked for once, and only the answer to the last question is shown.
import { asError, type AppError } from './backend';

/** A card that was open, to be shown again as it was read. */
export interface Kept<Card> {
  id: string | null;
  card: Card | null;
  error: AppError | null;
  changes: number;
}

export class Opened<Card> {
  id = $state<string | null>(null);
  card = $state.raw<Card | null>(null);
  error = $state<AppError | null>(null);
  /** Of which data the card is. */
  private changes = $state(0);
  private asked = 0;

  /** `changes`: rises whenever the data become other ones. */
  constructor(
    private readonly ask: (id: string) => Promise<Card>,
    private readonly now: () => number,
  ) {}

  /** Whether other data came after the card was read. Nobody looked at them yet, so the card stays as it is. */
  readonly isOld = $derived.by(() => this.card !== null && this.changes !== this.now());

  async open(id: string): Promise<void> {
    this.asked += 1;
    const mine = this.asked;
    const changes = this.now();
    if (this.id !== id) this.card = null;
    this.id = id;
    this.error = null;
    try {
      const card = await this.ask(id);
      if (mine !== this.asked) return;
      this.card = card;
      this.changes = changes;
    } catch (reason) {
      if (mine !== this.asked) return;
      this.card = null;
      this.error = asError(reason);
    }
  }

  /** Reads it anew. */
  again(): void {
    if (this.id !== null) void this.open(this.id);
  }

  close(): void {
    this.asked += 1;
    this.id = this.card = this.error = null;
  }

  keep(): Kept<Card> {
    return { id: this.id, card: this.card, error: this.error, changes: this.changes };
  }

  /** What was kept before its answer came is asked for again. */
  restore({ id, card, error, changes }: Kept<Card>): void {
    this.asked += 1;
    Object.assign(this, { id, card, error, changes });
    if (id !== null && !card && !error) void this.open(id);
  }
}
