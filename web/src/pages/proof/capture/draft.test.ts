import { expect, test } from "vitest";
import { errorFor, otherErrors } from "@/api/problem";
import { bodyOf, emptyDraft, missingIn } from "./draft";

test("a title alone can be captured, and the words decide its gates (P3)", () => {
  const draft = { ...emptyDraft(), title: "  Totals add up " };
  expect(missingIn(emptyDraft())).toBe("Say in one line what went wrong");
  expect(missingIn(draft)).toBeNull();
  expect(bodyOf({ ...emptyDraft("7"), title: "T" }, [])).toMatchObject({ issue: "7" });
  expect(bodyOf(draft, ["unit"])).toEqual({ title: "Totals add up", description: "Totals add up", severity: "medium", source: "user_report" });
});

test("chosen gates and rules are sent exactly", () => {
  const draft = { ...emptyDraft(), title: "T", gates: ["unit", "e2e"], proofs: { unit: { how: "suite" }, e2e: { how: "test", name: " test_login " }, sec: { how: "suite" } } } as const;
  const body = bodyOf(draft, draft.gates);
  expect(body.gates).toEqual(["unit", "e2e"]);
  expect(body.rules).toEqual([{ gate: "unit", how: "suite" }, { gate: "e2e", how: "test", test: "test_login" }]);
  expect(missingIn({ ...draft, proofs: { e2e: { how: "test", name: " " } } })).toBe("Name the test that proves e2e");
  expect(missingIn({ ...draft, gates: [] })).toBe("Choose at least one gate");
});

test("refusals stand at their fields, and none is lost", () => {
  const errors = [{ pointer: "/title", message: "too long" }, { pointer: "/rules/0/test", message: "starts with -" }, { pointer: "/odd", message: "unknown" }];
  expect(errorFor(errors, "title")).toBe("too long");
  expect(errorFor(errors, "rules")).toBe("starts with -");
  expect(errorFor(errors, "rule")).toBeNull();
  expect(otherErrors(errors, ["title", "rules"])).toEqual([errors[2]]);
});
