// Times as a person says them, and exactly.

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A span in its largest whole unit, rounded down: `41 min`, `23 h`, `3 d`. */
export function span(ms: number): string {
  const size = Math.abs(ms);
  if (size < MINUTE_MS) return `${Math.floor(size / SECOND_MS)} s`;
  if (size < 2 * HOUR_MS) return `${Math.floor(size / MINUTE_MS)} min`;
  if (size < 2 * DAY_MS) return `${Math.floor(size / HOUR_MS)} h`;
  return `${Math.floor(size / DAY_MS)} d`;
}

/** An instant seen from `now_ms`: `in 41 min`, `12 s ago`, `now`. */
export function relative(at: string, now_ms: number): string {
  const difference = Date.parse(at) - now_ms;
  if (Number.isNaN(difference)) return 'at an unknown time';
  if (Math.abs(difference) < SECOND_MS) return 'now';
  return difference > 0 ? `in ${span(difference)}` : `${span(difference)} ago`;
}

/** An instant exactly: `2026-11-24 14:20:30 UTC`. */
export function exact(at: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return 'unknown time';
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** The time of day alone where the day is that of `now_ms`: `14:20:30 UTC`. */
export function exactShort(at: string, now_ms: number): string {
  const full = exact(at);
  const today = new Date(now_ms).toISOString().slice(0, 10);
  return full.startsWith(today) ? full.slice(11) : `${full.slice(5, 16)} UTC`;
}

/** Whether an instant has come: at it, what it bounds is void. */
export function reached(at: string, now_ms: number): boolean {
  return !(Date.parse(at) > now_ms);
}
