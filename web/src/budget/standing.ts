import type { CostSum, Pool } from "@/api/queries/ledger";
import { dollars } from "@/format/money";
import type { Hue } from "@/ui/status";

/** How a pool stands, as it is shown. */
export interface Standing {
  /** Spent, as far as anybody knows. */
  known: number;
  /** Spent, where nobody knows how much: what is held for it. */
  held: number;
  reserved: number;
  /** The cap in force, top-ups included; null is none. */
  cap: number | null;
  toppedUp: number;
}

/** A pool, and which part of what was spent in it nobody knows. */
export function standingOf(pool: Pool, sums: CostSum): Standing {
  const held = Math.min(sums.held_micro_usd, pool.spent_micro_usd);
  return { known: pool.spent_micro_usd - held, held, reserved: pool.reserved_micro_usd, cap: pool.cap_micro_usd ?? null, toppedUp: pool.topped_up_micro_usd };
}

export function used({ known, held, reserved }: Standing): number {
  return known + held + reserved;
}

/** What was spent, in words: what nobody knows is never shown as a sum that somebody knows (X2). */
export function spentWords({ known, held }: Pick<Standing, "known" | "held">): string {
  if (held === 0) return dollars(known);
  return known === 0 ? `unknown (held ${dollars(held)})` : `${dollars(known)} and unknown (held ${dollars(held)})`;
}

/** How near to its end a pool is; in words where that matters, as colour alone says nothing. */
export function urgency(standing: Standing): { hue: Hue; words: string } {
  const { cap, known, held } = standing;
  if (cap === null) return { hue: "neutral", words: "" };
  const over = known + held - cap;
  if (over > 0) return { hue: "bad", words: `over by ${dollars(over)}` };
  const left = cap - used(standing);
  if (left <= 0) return { hue: "warning", words: standing.reserved > 0 ? "all of it in use" : "used up" };
  return { hue: left * 5 < cap ? "warning" : "running", words: `${dollars(left)} left` };
}

/** The parts of a bar in percent; one that is overdrawn is full. */
export function parts(standing: Standing): { known: number; held: number; reserved: number } {
  const all = Math.max(standing.cap ?? 0, used(standing));
  const part = (amount: number) => (all === 0 ? 0 : (100 * amount) / all);
  return { known: part(standing.known), held: part(standing.held), reserved: part(standing.reserved) };
}
