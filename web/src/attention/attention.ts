import type { Question } from "@/api/queries/questions";
import type { Run } from "@/api/queries/runs";
import { isTerminal } from "@/ui/status";

/** What wants a person, and why: one word for the home page, the rail and the inbox (X48). */
export type Attention =
  | { kind: "question" | "review"; question: Question }
  /** The newest proof of a project that ended did not pass. */
  | { kind: "failed"; run: Run }
  /** Issues of a project whose work failed, wants a look, or that nobody planned. */
  | { kind: "issues"; project: string; what: Wanted; number: number }
  /** Workers on other machines that are not heard of. */
  | { kind: "offline"; number: number }
  /** Evidence of a project is not what was sealed. */
  | { kind: "tampered"; project: string; requirements: number };

/** What issues ask, beside the questions of their runs. */
export type Wanted = "failed" | "review" | "plan";

/** How many issues of a project ask what. */
export type WantedBy = Readonly<Record<Wanted, number>>;

const WANTED: readonly Wanted[] = ["failed", "review", "plan"];

interface Told {
  questions: readonly Question[];
  ended: readonly Run[];
  /** Requirements with damaged evidence, by project. */
  tampered: ReadonlyMap<string, number>;
  issues: ReadonlyMap<string, WantedBy>;
  offline: number;
}

/** All that wants a person: questions first, as runs wait for them, then what is damaged, then what failed. */
export function attentionOf({ questions, ended, tampered, issues, offline }: Told): Attention[] {
  const list: Attention[] = questions.map((question) => ({ kind: question.kind === "review" ? "review" : "question", question }));
  for (const [project, requirements] of tampered) if (requirements > 0) list.push({ kind: "tampered", project, requirements });
  list.push(...unwell(ended).map((run): Attention => ({ kind: "failed", run })));
  for (const what of WANTED) {
    for (const [project, numbers] of issues) if (numbers[what] > 0) list.push({ kind: "issues", project, what, number: numbers[what] });
  }
  return offline > 0 ? [...list, { kind: "offline", number: offline }] : list;
}

/** The newest ended proof of each project, where it did not pass. What a person cancelled is known to them. */
function unwell(runs: readonly Run[]): Run[] {
  const newest = new Map<string, Run>();
  for (const run of runs) {
    if (run.kind !== "proof" || !isTerminal(run.status) || run.status === "cancelled") continue;
    const known = newest.get(run.project);
    if (known === undefined || known.id < run.id) newest.set(run.project, run);
  }
  return [...newest.values()].filter((run) => run.verdict !== "passed");
}
