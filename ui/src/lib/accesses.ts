// What an event of the access log is called, and how its delivery stands.
import type { AccessRow } from './backend';
import type { IconName } from './components/Icon.svelte';
import { known } from './i18n.svelte';

/** What was done, in words; an action that this version does not know says its name. */
export function actionOf(row: AccessRow): string {
  return known(`access.action.${row.action}`, row.action);
}

/** Why it was refused, or the person's own words of an emergency. */
export function reasonOf(row: AccessRow): string | null {
  if (row.reason === null) return null;
  return row.permitted ? row.reason : known(`error.${row.reason}.title`, row.reason);
}

export const deliveries: Record<AccessRow['delivery'], { icon: IconName; tone: string }> = {
  delivered: { icon: 'check', tone: 'ok' },
  waiting: { icon: 'clock', tone: 'mute' },
  stuck: { icon: 'warn', tone: 'warn' },
};
