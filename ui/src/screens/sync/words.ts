// What synchronisation does, in words. Nothing is called done while anything waits for the server's proof.
import type { State } from '../../lib/backend';
import { t } from '../../lib/i18n.svelte';

export interface Standing {
  kind: 'ok' | 'warn' | '';
  words: string;
}

const busy = ['connecting', 'sending', 'receiving'];

export function waitingOf(app: State): number {
  return app.sync ? app.sync.queues.reduce((sum, queue) => sum + queue.waiting, 0) : app.waiting;
}

export function standingOf(app: State): Standing {
  const sync = app.sync;
  if (!sync) return { kind: '', words: t('sync.closed') };
  if (busy.includes(sync.phase)) return { kind: '', words: t(`sync.phase.${sync.phase}`) };
  if (sync.phase === 'wedged' || sync.wedged.length > 0)
    return { kind: 'warn', words: t('sync.phase.wedged') };
  if (waitingOf(app) > 0)
    return { kind: 'warn', words: t(sync.phase === 'waiting' ? 'sync.phase.waiting' : 'sync.phase.idle') };
  return sync.last_success
    ? { kind: 'ok', words: t('sync.phase.done') }
    : { kind: '', words: t('sync.phase.empty') };
}

/** The same in one line, for the bar. */
export function lineOf(app: State): Standing & { short: string } {
  const sync = app.sync;
  const count = waitingOf(app);
  if (sync?.alarm) return { kind: 'warn', words: t('sync.bar.alarm'), short: t('sync.bar.alarm') };
  if (sync && sync.wedged.length > 0)
    return {
      kind: 'warn',
      words: t('sync.bar.wedged', { count: sync.wedged.length }),
      short: String(sync.wedged.length),
    };
  if (sync && busy.includes(sync.phase))
    return {
      kind: '',
      words: t(count > 0 ? 'sync.bar.sending' : 'sync.bar.busy', { count }),
      short: String(count),
    };
  if (count > 0) {
    // With the server in reach it goes within seconds: told, but no cause for alarm.
    const goes = app.connection === 'online' && sync?.delayed === false;
    return { kind: goes ? '' : 'warn', words: t('sync.bar.waiting', { count }), short: String(count) };
  }
  return { kind: '', words: t('sync.bar.clear'), short: '0' };
}
