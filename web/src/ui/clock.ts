import { useSyncExternalStore } from "react";

/** One clock for all that counts seconds: components hold no timers. */
const listeners = new Set<() => void>();
/** How far the server's clock is ahead of this machine's. */
let ahead = 0;
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  now = Date.now() + ahead;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    timer = setInterval(tick, 1_000);
    if (Math.abs(Date.now() + ahead - now) > 1_000) queueMicrotask(tick);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

/** Below this a difference is the way's, or the header's, which has no parts of a second. */
const WORTH = 3_000;

/** Learns the server's time from the `Date` of an answer: all times shown are of its clock. */
export function noteServerTime(date: string | null): void {
  const difference = date === null ? NaN : Date.parse(date) - Date.now();
  if (!Number.isFinite(difference)) return;
  const next = Math.abs(difference) < WORTH ? 0 : difference;
  if (Math.abs(next - ahead) < WORTH) return;
  ahead = next;
  tick();
}

/** The server's time, once a second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}
