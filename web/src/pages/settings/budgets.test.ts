import { expect, test } from "vitest";
import { bodyOf, inheritedWords, limitsOf, wrongIn } from "./budgets";

// X28: absent inherits, 0 is nothing, only "none" is no cap; and what is read is written again.
test.each([
  [{}, ["inherit", "inherit", "inherit"]],
  [{ run_micro_usd: 0, day_micro_usd: "none", max_top_up_micro_usd: 2_500_000 }, ["nothing", "none", "amount"]],
  [{ run_micro_usd: 1, max_top_up_micro_usd: 0 }, ["amount", "inherit", "nothing"]],
])("%j", (body, choices) => {
  const limits = limitsOf(body);
  expect([limits.run_micro_usd.choice, limits.day_micro_usd.choice, limits.max_top_up_micro_usd.choice]).toEqual(choices);
  expect(bodyOf(limits, body)).toEqual(body);
});

test("an amount is dollars, and what is beside the amounts stays", () => {
  const limits = { ...limitsOf({}), run_micro_usd: { choice: "amount", text: "$2.50" } as const };
  expect(bodyOf(limits, { day_micro_usd: 5, later: true })).toEqual({ later: true, run_micro_usd: 2_500_000 });
  expect([wrongIn(limits.run_micro_usd), wrongIn({ choice: "amount", text: "five" }), wrongIn({ choice: "none", text: "five" })]).toEqual([null, "Write dollars, such as 2.50", null]);
  expect([wrongIn({ choice: "amount", text: "10,000" }), wrongIn({ choice: "amount", text: "10000.01" })]).toEqual([null, "At most $10,000.00"]);
  const inherits = { run_micro_usd: 5_000_000, day_micro_usd: "none" };
  expect([inheritedWords(inherits, "run_micro_usd"), inheritedWords(inherits, "day_micro_usd"), inheritedWords(undefined, "run_micro_usd")]).toEqual(["$5.00", "no cap", ""]);
});
