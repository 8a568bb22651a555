import { expect, test } from "vitest";
import type { Question } from "@/api/queries/questions";
import { askOf, needOf, offered, read, standingAsked, titleOf, topUp } from "./budget";

const usd = 1_000_000;
const schema = {
  pool: "run", run: "r", phase: "running", day: "2026-11-21", cap_micro_usd: 5 * usd, spent_micro_usd: 5 * usd, reserved_micro_usd: 0,
  wanted_micro_usd: usd, day_left_micro_usd: 2 * usd, max_top_up_micro_usd: 20 * usd,
};
const asked = (more: Record<string, unknown> = {}) => ({ kind: "budget", subject: "budget/run/1", schema: { ...schema, ...more } }) as unknown as Question;
const ask = (more: Record<string, unknown> = {}) => {
  const found = askOf(asked(more));
  if (found === null) throw new Error("not read");
  return found;
};

// L90: what is asked is read whole or not at all.
test("a question about money is read, and another is not", () => {
  expect(ask()).toMatchObject({ pool: "run", wanted: usd, dayLeft: 2 * usd, most: 20 * usd });
  expect(ask({ day_left_micro_usd: null }).dayLeft).toBe(null);
  for (const wrong of [{ pool: "year" }, { cap_micro_usd: "5" }, { max_top_up_micro_usd: undefined }, { day: 5 }]) expect(askOf(asked(wrong))).toBe(null);
  expect(askOf({ ...asked(), kind: "review" })).toBe(null);
  expect([titleOf(asked()), titleOf(asked({ pool: "day" })), titleOf({ ...asked(), kind: "review" })]).toEqual([
    "The run has used up its budget", "The budget of 2026-11-21 (UTC) is used up", "budget/run/1",
  ]);
});

test("what is offered is what is missing", () => {
  expect(offered(ask(), standingAsked(ask()))).toBe("1.00");
  const overdrawn = ask({ spent_micro_usd: 7.5 * usd });
  expect([needOf(overdrawn, standingAsked(overdrawn)), offered(overdrawn, standingAsked(overdrawn))]).toEqual([3.5 * usd, "3.50"]);
  expect(offered(ask({ max_top_up_micro_usd: 500_000 }), standingAsked(ask()))).toBe("0.50");
});

// L90, X9: what would be refused is said before; a run's top-up takes the day along where that is short.
test.each([
  ["1", null, "run", 2, { decision: "top_up", micro_usd: usd }],
  ["2.50", null, "run", 2, { decision: "top_up", micro_usd: 2.5 * usd, day_micro_usd: 0.5 * usd }],
  ["2.50", "4", "run", 2, { decision: "top_up", micro_usd: 2.5 * usd, day_micro_usd: 4 * usd }],
  ["9", null, "run", null, { decision: "top_up", micro_usd: 9 * usd }],
  // What the day box said is of no matter once the day is not short.
  ["1", "rubbish", "run", 2, { decision: "top_up", micro_usd: usd }],
  ["3", null, "day", 0, { decision: "top_up", day_micro_usd: 3 * usd }],
] as const)("%s and %j for a %s", (amount, day, pool, left, body) => {
  const found = read({ amount, day }, ask({ pool }), left === null ? null : left * usd);
  expect(found.wrong).toEqual({ amount: null, day: null });
  expect(topUp(ask({ pool }), found, "")).toEqual(body);
});

test.each([
  ["", "", "Write dollars, such as 2.50", null], ["-1", "", "Write dollars, such as 2.50", null], ["0", "", "More than nothing", null],
  ["21", "", "At most $20.00 at once", null], ["3", "0.50", null, "At least $1.00: the day has $2.00 left"], ["3", "x", null, "Write dollars, such as 2.50"], ["3", "", null, "Write dollars, such as 2.50"],
])("%j and %j are not sent", (amount, day, wrong, wrongDay) => {
  const found = read({ amount, day }, ask(), 2 * usd);
  expect(found.wrong.amount).toBe(wrong);
  if (wrong === null) expect(found.wrong.day).toBe(wrongDay);
});

test("a reason goes along", () => {
  expect(topUp(ask(), read({ amount: "1", day: null }, ask(), null), " worth it ")).toEqual({ decision: "top_up", micro_usd: usd, reason: "worth it" });
});
