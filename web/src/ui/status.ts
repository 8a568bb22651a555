import type { Shape } from "@/api/client";
import type { IconName } from "./Icon";

/** The five hues of states (W8). */
export type Hue = "neutral" | "running" | "good" | "warning" | "bad";

/** How a state looks: never by colour alone (W7). */
export interface Look {
  hue: Hue;
  icon: IconName;
  word: string;
}

/** Classes of a hue: text on the page, tint behind it, solid bars. */
export const HUES: Record<Hue, { text: string; tint: string; solid: string; line: string }> = {
  neutral: { text: "text-neutral", tint: "bg-neutral-tint", solid: "bg-neutral", line: "border-neutral/40" },
  running: { text: "text-running", tint: "bg-running-tint", solid: "bg-running", line: "border-running/40" },
  good: { text: "text-good", tint: "bg-good-tint", solid: "bg-good", line: "border-good/40" },
  warning: { text: "text-warning", tint: "bg-warning-tint", solid: "bg-warning", line: "border-warning/40" },
  bad: { text: "text-bad", tint: "bg-bad-tint", solid: "bg-bad", line: "border-bad/40" },
};

const STATUSES: Record<Shape<"RunStatus">, Look> = {
  queued: { hue: "neutral", icon: "queued", word: "Queued" },
  running: { hue: "running", icon: "running", word: "Running" },
  waiting: { hue: "warning", icon: "question", word: "Waiting" },
  paused: { hue: "warning", icon: "pause", word: "Paused" },
  completed: { hue: "neutral", icon: "check", word: "Completed" },
  failed: { hue: "bad", icon: "cross", word: "Failed" },
  cancelled: { hue: "neutral", icon: "stop", word: "Cancelled" },
};

const VERDICTS: Record<Shape<"Verdict">, Look> = {
  passed: { hue: "good", icon: "check", word: "Passed" },
  failed: { hue: "bad", icon: "cross", word: "Failed" },
  unproven: { hue: "warning", icon: "dash", word: "Unproven" },
};

export function lookOfStatus(status: Shape<"RunStatus">): Look {
  return STATUSES[status];
}

export function lookOfVerdict(verdict: Shape<"Verdict">): Look {
  return VERDICTS[verdict];
}

/** What a person wants to see first of a run: the verdict when it has one, else where it stands. */
export function lookOfRun(status: Shape<"RunStatus">, verdict: string | null | undefined): Look {
  const known = status === "completed" && typeof verdict === "string" && verdict in VERDICTS;
  return known ? VERDICTS[verdict as Shape<"Verdict">] : STATUSES[status];
}

/** Whether a run can never change again. */
export function isTerminal(status: Shape<"RunStatus">): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
