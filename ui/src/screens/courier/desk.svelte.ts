// What is done with courier files: one at a time, and what came of the last.
import { asError, backend, type AppError, type FileTaken, type SavedPack } from '../../lib/backend';

export class Desk {
  busy = $state(false);
  saved = $state<SavedPack | null>(null);
  taken = $state<FileTaken | null>(null);
  error = $state<AppError | null>(null);

  async save(): Promise<void> {
    await this.#act(async () => (this.saved = await backend.courierExport()));
  }

  async read(file: Blob): Promise<void> {
    await this.#act(async () => (this.taken = await backend.readFile(file)));
  }

  async #act(what: () => Promise<unknown>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.saved = this.taken = this.error = null;
    try {
      await what();
    } catch (reason) {
      this.error = asError(reason);
    }
    this.busy = false;
  }
}
