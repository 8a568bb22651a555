import { expect, test } from "vitest";
import { standsOn } from "./held";

// W30: what was typed stands on what was read; facts of the same revision may change beneath it.
test("a form stands on what was there when one began to type", () => {
  const [held, newer, same] = [{ revision: 1 }, { revision: 2 }, { revision: 1 }];
  expect(standsOn(held, newer, "clean")).toBe(newer);
  expect(standsOn(held, newer, "changed")).toBe(held);
  expect(standsOn(held, newer, "saving")).toBe(held);
  for (const state of ["clean", "changed", "saving"] as const) expect(standsOn(held, same, state)).toBe(same);
});
