import type { Attention, Card, IssueStatus } from "@/api/queries/issues";
import type { Look } from "@/ui/status";

const STATUSES: Record<IssueStatus, Look> = {
  triage: { hue: "neutral", icon: "inbox", word: "Triage" },
  ready: { hue: "neutral", icon: "queued", word: "Ready" },
  in_progress: { hue: "running", icon: "play", word: "In progress" },
  waiting: { hue: "warning", icon: "question", word: "Waiting" },
  done: { hue: "good", icon: "check", word: "Done" },
  closed: { hue: "neutral", icon: "dash", word: "Closed" },
};

/** How a column looks (W7: shape, colour and word). */
export function lookOfIssue(status: IssueStatus): Look {
  return STATUSES[status];
}

export function wordOf(status: IssueStatus): string {
  return STATUSES[status].word;
}

const ATTENTION: Record<Attention, Look | null> = {
  question: { hue: "warning", icon: "question", word: "Question" },
  review: { hue: "warning", icon: "search", word: "To review" },
  plan: { hue: "neutral", icon: "pencil", word: "To plan" },
  failed: { hue: "bad", icon: "cross", word: "Failed" },
  none: null,
};

export function lookOfAttention(attention: Attention): Look | null {
  return ATTENTION[attention];
}

const GATES: Record<Card["gates"], Look | null> = {
  none: null,
  running: { hue: "running", icon: "running", word: "Proving" },
  passed: { hue: "good", icon: "check", word: "Proven" },
  failed: { hue: "bad", icon: "cross", word: "Gates failed" },
  unproven: { hue: "warning", icon: "dash", word: "Unproven" },
};

export function lookOfGates(gates: Card["gates"]): Look | null {
  return GATES[gates];
}
