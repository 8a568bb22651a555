import fc from "fast-check";
import { expect, test } from "vitest";
import { GAP, sliceOf } from "./window";

const heights = (count: number) => Array.from({ length: count }, (_, at) => 80 + (at % 5) * 17);

// W10, W21: whatever is in view is in the document, with room for all that is not, so that nothing jumps.
test("what is in view is there, and the rest has its room", () => {
  fc.assert(
    fc.property(fc.integer({ min: 41, max: 2_000 }), fc.nat(250_000), fc.nat(2_000), (count, from, high) => {
      const all = heights(count);
      const { first, last, before, after } = sliceOf(all, from, from + high, null);
      const room = (some: readonly number[]) => some.reduce((sum, height) => sum + height + GAP, 0);
      expect(before).toBe(room(all.slice(0, first)));
      expect(after).toBe(room(all.slice(last)));
      expect(first).toBeLessThan(last);
      if (from < room(all)) {
        expect(before).toBeLessThanOrEqual(from);
        expect(room(all.slice(0, last))).toBeGreaterThanOrEqual(Math.min(room(all), from + high));
      }
    }),
  );
});

test("a short column is whole, a long one is not, and what is held stays", () => {
  expect(sliceOf(heights(40), 0, 100, null)).toEqual({ first: 0, last: 40, before: 0, after: 0 });
  const long = heights(5_000);
  const shown = sliceOf(long, 0, 900, null);
  expect(shown.last).toBeLessThan(40);
  expect(sliceOf(long, 0, 900, 200).last).toBe(201);
  expect(sliceOf(long, 100_000, 100_900, 700).first).toBe(700);
  // Too far away, it is let go.
  expect(sliceOf(long, 0, 900, 4_999).last).toBe(shown.last);
});
