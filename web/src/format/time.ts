/** Times and durations as a reader is shown them: with a unit, as exact as it matters. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `70 ms`, `1.2 s`, `3 min 05 s`, `2 h 04 min`, `3 d 04 h`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return "unknown";
  const whole = Math.max(0, ms);
  if (whole < SECOND) return `${Math.round(whole)} ms`;
  if (whole < 9_950) return `${(whole / SECOND).toFixed(1)} s`;
  const seconds = Math.round(whole / SECOND);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** As {@link duration}, without parts that jump while it counts: for a clock that ticks each second. */
export function elapsed(ms: number): string {
  return duration(ms < SECOND ? 0 : Math.floor(ms / SECOND) * SECOND).replace(/^0 ms$/, "0 s").replace(/\.0 s$/, " s");
}

/** `just now`, `12 s ago`, `5 min ago`, `3 h ago`, then the day. */
export function ago(at: number, now: number): string {
  const past = now - at;
  if (past < 5 * SECOND) return past < -MINUTE ? absolute(at) : "just now";
  if (past < MINUTE) return `${Math.floor(past / SECOND)} s ago`;
  if (past < HOUR) return `${Math.floor(past / MINUTE)} min ago`;
  if (past < DAY) return `${Math.floor(past / HOUR)} h ago`;
  if (past < 7 * DAY) return `${Math.floor(past / DAY)} d ago`;
  return day(at);
}

/** `2026-11-21`, in the reader's own zone. */
export function day(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** `07:04:27`, in the reader's own zone. */
export function clock(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `07:04:27.954`, for journals. */
export function clockExact(at: number): string {
  return `${clock(at)}.${String(new Date(at).getMilliseconds()).padStart(3, "0")}`;
}

/** `2026-11-21 07:04:27 (UTC 07:04:27)`: what stands in tooltips. */
export function absolute(at: number): string {
  if (!Number.isFinite(at)) return "unknown";
  const utc = new Date(at).toISOString();
  return `${day(at)} ${clock(at)} (UTC ${utc.slice(0, 10)} ${utc.slice(11, 19)})`;
}

/** The instant of a text of the API. */
export function instant(text: string): number {
  return Date.parse(text);
}

/** Whether an instant lies in the reader's present day. */
export function isToday(at: number, now: number): boolean {
  return day(at) === day(now);
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
