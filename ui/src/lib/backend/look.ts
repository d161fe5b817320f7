// Looks at people's records: before the first one the person says what for.
import { invoke } from '@tauri-apps/api/core';

type Question = () => Promise<void>;

const nobody: Question = () => Promise.resolve();
let ask = nobody;

/** Who asks for the purpose; the answer is the function that takes the question back. */
export function beforeLook(question: Question): () => void {
  ask = question;
  return () => {
    if (ask === question) ask = nobody;
  };
}

/** A command that shows somebody's record. */
export async function look<T>(command: string, args: Record<string, unknown>): Promise<T> {
  await ask();
  return invoke<T>(command, args);
}
