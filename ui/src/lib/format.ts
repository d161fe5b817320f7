// Dates, times and numbers as both languages write them: 22.11.2026, 09:41.

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making one takes longer than all else that a row shows, so there is one for each zone. */
function format(zone: string): Intl.DateTimeFormat {
  const made = formats.get(zone);
  if (made) return made;
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
  formats.set(zone, format);
  return format;
}

function parts(at: string, zone: string): Record<string, string> {
  const fields = format(zone).formatToParts(new Date(at));
  return Object.fromEntries(fields.map((field) => [field.type, field.value]));
}

/** Kazakhstan is UTC+5 throughout since 2024; these zones were UTC+6 before, which stale zone data of a system still say. */
const AT_FIVE = new Set(['Asia/Almaty', 'Asia/Qostanay', 'Asia/Qyzylorda']);

function zone(name: string): string {
  return AT_FIVE.has(name) ? 'Etc/GMT-5' : name;
}

export function dateOf(at: string, tz: string): string {
  const p = parts(at, zone(tz));
  return `${p.day}.${p.month}.${p.year}`;
}

export function timeOf(at: string, tz: string, seconds = false): string {
  const p = parts(at, zone(tz));
  return seconds ? `${p.hour}:${p.minute}:${p.second}` : `${p.hour}:${p.minute}`;
}

export function dateTimeOf(at: string, tz: string): string {
  return `${dateOf(at, tz)} ${timeOf(at, tz)}`;
}

/** A moment as short as it is clear: today its time alone. */
export function sinceOf(at: string, tz: string): string {
  const isToday = dateOf(at, tz) === dateOf(new Date().toISOString(), tz);
  return isToday ? timeOf(at, tz) : dateTimeOf(at, tz);
}

/** A calendar day `2026-11-22` as 22.11.2026. */
export function dayOf(day: string): string {
  return day.split('-').reverse().join('.');
}

/** A donation number in its groups: facility, year, serial. */
export function dinOf(text: string): string {
  return `${text.slice(0, 5)} ${text.slice(5, 7)} ${text.slice(7)}`;
}

/** Whether data of that time are so old that each value says its age. */
export function isOld(asOf: string, now: number): boolean {
  return now - Date.parse(asOf) > 86_400_000;
}

/** Begun days from now until `at`, as the lease of an open session counts them; never below 0. */
export function daysLeft(at: string): number {
  return Math.max(0, Math.ceil((Date.parse(at) - Date.now()) / 86_400_000));
}

/** The two ends of a long hexadecimal number. */
export function shortId(hex: string): string {
  return `${hex.slice(0, 4)} ${hex.slice(4, 8)} … ${hex.slice(-4)}`;
}

/** How long `at` lies from `now`, as a key of the words and its number. */
export function ageOf(at: string, now: number): { key: string; count: number } {
  const minutes = Math.floor(Math.abs(now - Date.parse(at)) / 60_000);
  if (minutes < 1) return { key: 'sync.age.now', count: 0 };
  if (minutes < 60) return { key: 'sync.age.minutes', count: minutes };
  if (minutes < 48 * 60) return { key: 'sync.age.hours', count: Math.floor(minutes / 60) };
  return { key: 'sync.age.days', count: Math.floor(minutes / 1440) };
}

/** A calendar day, or the day of a moment at the site. */
export function whenOf(at: string, tz: string): string {
  return /^\d{4}-\d{2}-\d{2}$/.test(at) ? dayOf(at) : dateOf(at, tz);
}

/** How long ago `at` was, as a key of the words and its number. */
export function agoOf(at: string, now: number): { key: string; count: number } {
  const age = ageOf(at, now);
  return { key: age.key.replace('sync.age', 'age'), count: age.count };
}
