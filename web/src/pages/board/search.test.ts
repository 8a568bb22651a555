import { expect, test } from "vitest";
import { readBoardSearch } from "./search";

test("an address is read as far as it makes sense", () => {
  expect(readBoardSearch({ kind: "bug", attention: "review", q: " 7 ", view: "list" })).toEqual({ kind: "bug", attention: "review", q: "7", view: "list" });
  expect(readBoardSearch({ kind: "task", attention: "none", q: "  ", label: 7, view: "columns", x: 1 })).toEqual({ label: "7" });
});
