import { expect, test } from "vitest";
import type { Entry } from "./protocol";
import { withRemarks } from "./remarks";

const entry = (seq: number, kind: string, level: Entry["level"], data: Entry["data"]): Entry => ({ stream: "run:1", seq, at: "2026-11-21T00:00:00Z", kind, level, data });

test("a remark says what it is about", () => {
  const told = withRemarks([], [
    entry(1, "note", "info", { text: "gate lint is off" }), entry(2, "file.refused", "warning", { path: "a/b.md", reason: "too_large" }),
    entry(3, "lease.expired", "warning", {}), entry(4, "run.phase", "info", { to: "x" }),
  ]);
  expect(told.map(({ words }) => words)).toEqual(["gate lint is off", "file refused: a/b.md, too large", "lease expired"]);
});
