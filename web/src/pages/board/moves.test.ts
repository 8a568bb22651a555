import fc from "fast-check";
import { expect, test } from "vitest";
import type { Card } from "@/api/queries/issues";
import { asked, COLUMNS, placed, placeOf, spoken, stepped, type Column } from "./moves";

const board = (cards: readonly string[]): readonly Column[] =>
  COLUMNS.map((status, at) => {
    const ids = (cards[at] ?? "").split("").filter((id) => id !== "");
    return { status, count: ids.length, more: false, cards: ids.map((id) => ({ id, status }) as Card) };
  });
const shown = (columns: readonly Column[]) => columns.map((column) => column.cards.map((card) => card.id).join("")).join("|");

test("a card steps through its column and into the next", () => {
  const columns = board(["abc", "d"]);
  const from = placeOf(columns, "a");
  expect(from).toEqual({ id: "a", status: "triage", at: 0 });
  if (from === null) return;
  expect(stepped(columns, from, "ArrowUp")).toBeNull();
  expect(stepped(columns, from, "ArrowLeft")).toBeNull();
  const down = stepped(columns, from, "ArrowDown");
  expect(down).toEqual({ id: "a", status: "triage", at: 1 });
  const right = stepped(columns, { ...from, at: 2 }, "ArrowRight");
  expect(right).toEqual({ id: "a", status: "ready", at: 1 });
  if (down === null || right === null) return;
  expect(shown(placed(columns, down))).toBe("bac|d||||");
  expect(shown(placed(columns, right))).toBe("bc|da||||");
  expect(spoken(columns, right)).toBe("Ready, place 2 of 2");
  expect(asked(columns, down)).toEqual({ status: "triage", before: "c" });
  expect(asked(columns, right)).toEqual({ status: "ready", before: null });
  expect(asked(columns, { id: "a", status: "done", at: 0 })).toEqual({ status: "done" });
});

test("wherever a card goes, no card is lost or doubled", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"), { maxLength: 40 }), (keys) => {
      const columns = board(["abc", "de", "", "f", "gh", ""]);
      let place = placeOf(columns, "e");
      for (const key of keys) place = place === null ? null : (stepped(columns, place, key) ?? place);
      if (place === null) throw new Error("the card is gone");
      const after = placed(columns, place);
      expect(after.flatMap((column) => column.cards.map((card) => card.id)).sort().join("")).toBe("abcdefgh");
      expect(after.reduce((sum, column) => sum + column.count, 0)).toBe(8);
      expect(placeOf(after, "e")).toEqual(place);
    }),
  );
});
