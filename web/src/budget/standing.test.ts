import { expect, test } from "vitest";
import type { Pool } from "@/api/queries/ledger";
import { parts, spentWords, standingOf, urgency, type Standing } from "./standing";

const usd = 1_000_000;
const stands = (known: number, held: number, reserved: number, cap: number | null): Standing => ({
  known: known * usd, held: held * usd, reserved: reserved * usd, cap: cap === null ? null : cap * usd, toppedUp: 0,
});

// X2, W7: what nobody knows is shown as such, and no bar is longer than its place.
test.each([
  [stands(0, 0, 0, 5), "$0", "running", "$5.00 left", [0, 0, 0]],
  [stands(1, 0, 1, 5), "$1.00", "running", "$3.00 left", [20, 0, 20]],
  [stands(0, 1, 0, 10), "unknown (held $1.00)", "running", "$9.00 left", [0, 10, 0]],
  [stands(2, 1, 1, 4), "$2.00 and unknown (held $1.00)", "warning", "all of it in use", [50, 25, 25]],
  [stands(4.5, 0, 0, 5), "$4.50", "warning", "$0.50 left", [90, 0, 0]],
  [stands(5, 0, 0, 5), "$5.00", "warning", "used up", [100, 0, 0]],
  [stands(6, 2, 0, 4), "$6.00 and unknown (held $2.00)", "bad", "over by $4.00", [75, 25, 0]],
  // 0 lets nothing be spent; without a cap there is no end to be near.
  [stands(0, 0, 0, 0), "$0", "warning", "used up", [0, 0, 0]],
  [stands(3, 0, 1, null), "$3.00", "neutral", "", [75, 0, 25]],
] as const)("%o", (standing, words, hue, left, [known, held, reserved]) => {
  expect(spentWords(standing)).toBe(words);
  expect(urgency(standing)).toEqual({ hue, words: left });
  expect(parts(standing)).toEqual({ known, held, reserved });
});

test("a pool is read with the part that nobody knows", () => {
  const pool: Pool = { pool: "day", cap_micro_usd: null, left_micro_usd: null, topped_up_micro_usd: 5, spent_micro_usd: 7, reserved_micro_usd: 1 };
  const sums = { spent_micro_usd: 7, held_micro_usd: 3, reserved_micro_usd: 1, state: "partial" } as const;
  expect(standingOf(pool, sums)).toEqual({ known: 4, held: 3, reserved: 1, cap: null, toppedUp: 5 });
});
