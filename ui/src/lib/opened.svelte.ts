// What is open: asked for once, and only the answer to the last question is shown.
import { asError, type AppError } from './backend';

export class Opened<Card> {
  id = $state<string | null>(null);
  card = $state.raw<Card | null>(null);
  error = $state<AppError | null>(null);
  private asked = 0;

  constructor(private readonly ask: (id: string) => Promise<Card>) {}

  async open(id: string): Promise<void> {
    this.asked += 1;
    const mine = this.asked;
    if (this.id !== id) this.card = null;
    this.id = id;
    this.error = null;
    try {
      const card = await this.ask(id);
      if (mine === this.asked) this.card = card;
    } catch (reason) {
      if (mine !== this.asked) return;
      this.card = null;
      this.error = asError(reason);
    }
  }

  close(): void {
    this.asked += 1;
    this.id = this.card = this.error = null;
  }
}
