/** What the page says about its connection. */

/** Why there is none, in words for a person. */
export interface Cause {
  /** The code of a refusal; `offline` or `silent` when there was none. */
  code: string;
  message: string;
}

export type LiveStatus =
  /** Nothing is asked for. */
  | { state: "idle" }
  /** The first connection is being made. */
  | { state: "connecting" }
  | { state: "live" }
  /** Streams do not come through here, so what is new is asked for every few seconds. */
  | { state: "polling"; cause: Cause }
  /** It broke off at `lostAt` and is tried again, for ever. */
  | { state: "reconnecting"; lostAt: number; attempt: number; nextAt: number; cause: Cause }
  /** The session has ended: only signing in helps. */
  | { state: "signed_out" };

/** After this long without a connection the quiet mark becomes a banner (X49). */
export const BANNER_AFTER = 60_000;

const FIRST = 1_000;
const MOST = 10_000;

/** How long to wait before attempt 1, 2, ...: 1 s to 10 s, spread so that tabs do not come all at once. */
export function pause(attempt: number, random: number): number {
  const steady = Math.min(MOST, FIRST * 1.7 ** (attempt - 1));
  return Math.min(MOST, Math.max(FIRST, Math.round(steady * (0.8 + 0.4 * random))));
}
