import { expect, test } from "vitest";
import { criteriaOf, linesOf } from "./acceptance";

test("a criterion that stays keeps its id, a new one has none", () => {
  const known = [{ id: "A1", text: "one" }, { id: "A2", text: "two\nlines" }, { id: "A3", text: "one" }];
  expect(linesOf(known)).toBe("one\ntwo lines\none");
  expect(criteriaOf("two lines\n\n one \nnew\none", known)).toEqual([{ id: "A2", text: "two\nlines" }, { id: "A1", text: "one" }, { text: "new" }, { id: "A3", text: "one" }]);
});
