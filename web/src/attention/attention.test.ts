import { expect, test } from "vitest";
import type { Question } from "@/api/queries/questions";
import type { Run } from "@/api/queries/runs";
import { attentionOf } from "./attention";

const run = (id: string, project: string, status: Run["status"], verdict: string | null, kind = "proof") => ({ id, project, status, verdict, kind }) as Run;
const question = (id: string, kind: string) => ({ id, kind }) as unknown as Question;

// X48: one value, whoever shows it.
test("what wants a person is questions, what is damaged, and projects whose last run did not pass", () => {
  const runs = [
    run("5", "a", "cancelled", null), run("4", "a", "completed", "failed"), run("3", "a", "completed", "passed"),
    run("7", "b", "completed", "passed"), run("6", "b", "failed", null), run("8", "c", "running", null), run("2", "c", "failed", null),
    // What became of a dispatch, its issue says.
    run("9", "b", "completed", "applied", "dispatch"),
  ];
  const found = attentionOf({
    questions: [question("q", "review"), question("r", "choice")], ended: runs, tampered: new Map([["a", 0], ["b", 2]]),
    issues: new Map([["a", { failed: 0, review: 2, plan: 1 }], ["b", { failed: 3, review: 0, plan: 0 }]]), offline: 2,
  });
  expect(found.map((one) => [one.kind, "run" in one ? one.run.id : "question" in one ? one.question.id : "what" in one ? `${one.project} ${one.what} ${one.number}` : "project" in one ? one.project : one.number])).toEqual([
    ["review", "q"], ["question", "r"], ["tampered", "b"], ["failed", "4"], ["failed", "2"],
    ["issues", "b failed 3"], ["issues", "a review 2"], ["issues", "a plan 1"], ["offline", 2],
  ]);
  expect(attentionOf({ questions: [], ended: [], tampered: new Map(), issues: new Map(), offline: 0 })).toEqual([]);
});
