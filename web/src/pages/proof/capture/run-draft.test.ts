import { expect, test } from "vitest";
import type { Run } from "@/api/queries/runs";
import { draftOfRun } from "./draft";

const run = (more: object) => ({ id: "01a1fe5c-8446-7466-9e70-60b4dbece6a1", kind: "dispatch", ...more }) as unknown as Run;

// P83: a capture from a run that went wrong has its files and its link.
test("a draft from a run has its files, what failed and its link", () => {
  const link = "https://plane.example/p/shop/runs/1";
  const draft = draftOfRun(run({ issue: "01a1fe5c-0000-7466-9e70-60b4dbece6a1", failure: { code: "agent_failed", message: "it gave up" } }), [{ requirement: "REQ-0001", gate: "unit", message: "exit code 1" }], ["src/a.rs", "src/b.rs", "src/a.rs"], link);
  expect(draft).toMatchObject({ title: "", url: link, issue: "01a1fe5c-0000-7466-9e70-60b4dbece6a1", where: "file: src/a.rs\nfile: src/b.rs" });
  expect(draft.description).toContain(": it gave up\n\n- REQ-0001, unit: exit code 1");
  expect(draftOfRun(run({}), [], [], link)).toMatchObject({ where: "", gates: null });
});
