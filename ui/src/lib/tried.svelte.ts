// What a key or a button of the whole window was refused; shown under the bar until the next try.
import { asError, type AppError } from './backend';

let refused = $state<AppError | null>(null);

/** Why the last try failed. */
export function refusal(): AppError | null {
  return refused;
}

/** Waits for an act of the shell, and keeps why it failed. */
export async function tried(act: Promise<unknown>): Promise<void> {
  refused = null;
  try {
    await act;
  } catch (reason) {
    refused = asError(reason);
  }
}
