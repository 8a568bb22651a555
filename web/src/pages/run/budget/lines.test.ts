import { expect, test } from "vitest";
import { costWords, lookOfLine } from "./lines";

// X2, L88: a cost that nobody knows is never a sum that somebody knows.
test.each([
  ["reserve", null, 1_000_000, null, "Reserved", ""],
  ["release", null, 1_000_000, null, "Given back", ""],
  ["settle", "reported", 20_000, 20_000, "Spent", "reported"],
  ["settle", "unknown", 1_000_000, 0, "Spent", "unknown (held $1.00)"],
  ["settle", "unknown", 1_000_000, 250_000, "Spent", "$0.25 and unknown (held $0.75)"],
  ["settle", "unknown", 0, 0, "Spent", "unknown"],
] as const)("a %s, %s", (kind, cost_state, micro_usd, known_micro_usd, word, cost) => {
  expect(lookOfLine({ kind, cost_state }).word).toBe(word);
  expect(lookOfLine({ kind, cost_state }).hue === "warning").toBe(cost_state === "unknown");
  expect(costWords({ cost_state, micro_usd, known_micro_usd })).toBe(cost);
});
