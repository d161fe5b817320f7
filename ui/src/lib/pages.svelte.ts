// The answers to what is looked for, page after page. A newer question makes the answers to older ones void.
import { asError, type AppError } from './backend';

export interface Page<Row> {
  total: number;
  rows: Row[];
  next: string | null;
}

/** Answers to a query are counted up to here; more of them come as one more. */
const COUNTED = 1000;

export class Pages<Row extends { id: string }> {
  query = $state('');
  rows = $state.raw<Row[]>([]);
  /** The query that the rows answer. */
  shown = $state('');
  total = $state(0);
  searching = $state(true);
  error = $state<AppError | null>(null);
  /** What the rows answer. */
  private answered: string | null = null;
  private next: string | null = null;
  private asked = 0;
  /** The newest question, while an older one is being answered. */
  private waiting: string | null = null;
  private isAsking = false;

  constructor(private readonly ask: (query: string, after: string | null) => Promise<Page<Row>>) {}

  readonly isQuery = $derived(this.query.trim() !== '');

  /** How many answer; null if nobody counted them all. */
  counted(isNarrowed: boolean): number | null {
    return isNarrowed && this.total > COUNTED ? null : this.total;
  }

  /** As it is told: the number, or that there are more. */
  count(isNarrowed: boolean): string {
    return String(this.counted(isNarrowed) ?? `${String(COUNTED)}+`);
  }

  /** The first page, unless the rows answer this very question already. One after the other: of what comes meanwhile only the newest. */
  async search(question: string): Promise<void> {
    this.waiting = question;
    if (this.isAsking) return;
    this.isAsking = true;
    while (this.waiting !== null) {
      const now: string = this.waiting;
      this.waiting = null;
      if (this.answered === now && !this.error) continue;
      const query = this.query;
      const answer = await this.page(null);
      if (!answer) continue;
      this.answered = now;
      this.rows = answer.rows;
      this.shown = query;
    }
    this.isAsking = false;
  }

  /** The next page, if there is one and none is on its way. */
  async more(): Promise<void> {
    if (!this.next || this.searching) return;
    const answer = await this.page(this.next);
    if (answer) this.rows = [...this.rows, ...answer.rows];
  }

  private async page(after: string | null): Promise<Page<Row> | null> {
    this.asked += 1;
    const mine = this.asked;
    this.searching = true;
    try {
      const page = await this.ask(this.query, after);
      if (mine !== this.asked) return null;
      this.total = page.total;
      this.next = page.next;
      this.error = null;
      this.searching = false;
      return page;
    } catch (reason) {
      if (mine === this.asked) {
        this.error = asError(reason);
        this.searching = false;
      }
      return null;
    }
  }
}
