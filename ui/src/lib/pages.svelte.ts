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
  /** The question that the rows answer; null before the first answer. */
  answered = $state<string | null>(null);
  total = $state(0);
  searching = $state(true);
  error = $state<AppError | null>(null);
  /** The row at the top of the view, and how much of it is above, while another screen is open. */
  place = $state.raw<Place | null>(null);
  /** Of which data the rows are. */
  private data: string | null = null;
  private next: string | null = null;
  private asked = 0;
  /** The newest question, while an older one is being answered. */
  private waiting: [question: string, data: string] | null = null;
  private isAsking = $state(false);

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

  /** Whether the rows answer this question and no newer answer is on its way. */
  answers(question: string): boolean {
    return this.answered === question && !this.isAsking && !this.error;
  }

  /**
   * The first page, unless the rows answer this very question of these very data already; of other data as many rows as there were.
   * One after the other: of what comes meanwhile only the newest.
   */
  async search(question: string, data: string): Promise<void> {
    this.waiting = [question, data];
    if (this.isAsking) return;
    this.isAsking = true;
    while (this.waiting !== null) {
      const [now, of]: [string, string] = this.waiting;
      this.waiting = null;
      const isSame = this.answered === now && !this.error;
      if (isSame && this.data === of) continue;
      const query = this.query;
      const answer = await this.first(query, isSame ? this.rows.length : 0);
      if (!answer) continue;
      // All at once: the page is written once for each key.
      this.data = of;
      if (!isSame) this.place = null;
      this.answered = now;
      this.shown = query;
      this.take(answer);
    }
    this.isAsking = false;
  }

  /** The next page, if there is one and none is on its way. */
  async more(): Promise<void> {
    if (!this.next || this.searching || this.isAsking) return;
    const answer = await this.page(this.shown, this.next);
    if (answer) this.take({ ...answer, rows: [...this.rows, ...answer.rows] });
  }

  /** From the beginning, at least so many; null if that failed or a newer question came. */
  private async first(query: string, length: number): Promise<Page<Row> | null> {
    const rows: Row[] = [];
    let page: Page<Row> | null = null;
    do {
      page = await this.page(query, page?.next ?? null);
      if (!page) return null;
      rows.push(...page.rows);
      if (page.next && rows.length < length && this.waiting) return null;
    } while (page.next && rows.length < length);
    return { ...page, rows };
  }

  private take({ total, rows, next }: Page<Row>): void {
    this.total = total;
    this.next = next;
    this.rows = rows;
    this.error = null;
    this.searching = false;
  }

  private async page(query: string, after: string | null): Promise<Page<Row> | null> {
    this.asked += 1;
    const mine = this.asked;
    this.searching = true;
    try {
      const page = await this.ask(query, after);
      return mine === this.asked ? page : null;
    } catch (reason) {
      if (mine === this.asked) {
        this.error = asError(reason);
        this.searching = false;
      }
      return null;
    }
  }
}

export interface Place {
  id: string;
  /** Pixels of it above the view. */
  above: number;
}
