import type { Shape } from "@/api/client";
import type { Obligation, Requirement } from "@/api/queries/proof";
import type { LiveGate } from "@/live/run";
import { lookOfVerdict, type Look } from "@/ui/status";

const STATUS: Record<Shape<"Status">, Look> = {
  open: { hue: "bad", icon: "ring", word: "Open" },
  satisfied: { hue: "good", icon: "check", word: "Satisfied" },
  waived: { hue: "neutral", icon: "waived", word: "Waived" },
};

/** Where a requirement stands. Open is bad news only where something failed. */
export function lookOfRequirement({ status, verdict }: Pick<Requirement, "status" | "verdict">): Look {
  return status === "open" && verdict !== "failed" ? { ...STATUS.open, hue: "warning" } : STATUS[status];
}

export function lookOfStanding(status: Shape<"Status">): Look {
  return STATUS[status];
}

export type GateState = LiveGate["state"];

const STATE: Record<"pending" | "running" | "waiting", Look> = {
  pending: { hue: "neutral", icon: "queued", word: "Pending" },
  running: { hue: "running", icon: "running", word: "Running" },
  waiting: { hue: "warning", icon: "question", word: "Waiting" },
};

/** Where a gate stands in a run. */
export function lookOfGate(state: GateState): Look {
  return state === "pending" || state === "running" || state === "waiting" ? STATE[state] : lookOfVerdict(state);
}

/** What an obligation is worth, as a mark: never proven is neither good nor bad news. */
export function lookOfObligation({ verdict, reason, waived }: Obligation): Look {
  if (waived) return { hue: "neutral", icon: "waived", word: "Waived" };
  if (verdict === "unproven" && reason === "never_ran") return { hue: "neutral", icon: "ring", word: "Never ran" };
  return lookOfVerdict(verdict);
}

const REASONS: Record<Shape<"Reason">, string> = {
  test_failed: "a test failed",
  test_missing: "the test does not exist",
  collection_error: "the tests could not be collected",
  exit_code: "the command's exit code is one that fails",
  findings: "the tool found something",
  result_mismatch: "every case passed, and yet the command failed",
  timeout: "the time limit passed",
  killed: "it was killed",
  review_failed: "a person rejected it",
  never_ran: "it was never run",
  no_runner: "nothing is configured that could run it",
  runner_missing: "the tool is not installed",
  runner_error: "the tool itself failed",
  sandbox_refused: "it could not be confined, so it was not started",
  refused: "the policy does not allow the command",
  environment: "the environment lacks what it needs",
  cannot_select: "the runner cannot select single tests",
  skipped: "it was skipped",
  no_tests: "there are no tests",
  results_missing: "the results file is missing",
  results_invalid: "the results file cannot be read",
  tree_moved: "files changed while it ran",
  stale: "the proof is of other files",
  tampered: "the evidence is not what was sealed",
  definition_changed: "the gate's definition changed and is not accepted",
  worker_lost: "the worker was lost",
  cancelled: "the run was cancelled",
  budget: "the budget does not allow it",
  review_pending: "a person has not looked yet",
  review_expired: "nobody looked in time",
  superseded: "a newer run took over",
  disk_full: "the disk is full",
  internal_error: "the plane made a mistake",
};

/** Why something did not pass, in a sentence's part. */
export function reasonInWords(reason: string | null | undefined): string {
  if (reason === null || reason === undefined || reason === "") return "";
  return (REASONS as Record<string, string>)[reason] ?? reason.replaceAll("_", " ");
}

const SEVERITY: Record<Shape<"Severity">, { word: string; text: string; level: 1 | 2 | 3 | 4 }> = {
  critical: { word: "Critical", text: "text-bad", level: 4 },
  high: { word: "High", text: "text-warning", level: 3 },
  medium: { word: "Medium", text: "text-soft", level: 2 },
  low: { word: "Low", text: "text-faint", level: 1 },
};

export function severityLook(severity: Shape<"Severity">): { word: string; text: string; level: 1 | 2 | 3 | 4 } {
  return SEVERITY[severity];
}

export const KIND_WORDS: Record<Shape<"Kind">, string> = {
  logic: "Logic", integration: "Integration", wiring: "Wiring", layout: "Layout", a11y: "Accessibility", perf: "Performance", security: "Security",
};

export const SOURCE_WORDS: Record<Shape<"Source">, string> = {
  production: "Production", qa: "QA", dogfooding: "Dogfooding", monitoring: "Monitoring", user_report: "User report", agent: "Agent",
};

/** The number in `7`, `#7` or `shop#7`; null where it is none of this project's. */
export function numberOf(issue: string, project: string): string | null {
  const [, key, number] = /^(?:([^#]*)#)?([1-9]\d{0,8})$/.exec(issue.trim()) ?? [];
  return number === undefined || (key !== undefined && key !== "" && key.toLowerCase() !== project.toLowerCase()) ? null : number;
}

/** Who, by the name that a reader knows. */
export function nameOf(actor: Shape<"Actor">): string {
  return "name" in actor ? actor.name : actor.type;
}
