// The lease as words: quiet while there is time, amber from three days, plain where it is over.
import type { PersonFacts } from '../../lib/backend';
import { t } from '../../lib/i18n.svelte';

export interface LeaseWords {
  full: string;
  short: string;
  kind: 'warn' | '';
}

export function leaseWords(person: PersonFacts): LeaseWords {
  const days = person.lease_days_left;
  if (person.lease === 'ended') {
    const words = t('bar.lease-ended');
    return { full: words, short: words, kind: 'warn' };
  }
  if (person.mode === 'break-glass') {
    const words = t('bar.break-glass');
    return { full: words, short: words, kind: 'warn' };
  }
  const key = person.lease === 'read-only' ? 'bar.read-only' : 'bar.lease';
  const kind = person.lease === 'ok' || person.lease === 'soon' ? '' : 'warn';
  return { full: t(key, { days }), short: t(`${key}-short`, { days }), kind };
}
