import type { LedgerLine } from "@/api/queries/ledger";
import { spentWords } from "@/budget/standing";
import type { Look } from "@/ui/status";

/** What a line says, by shape and word; what nobody knows stands out. */
export function lookOfLine({ kind, cost_state }: Pick<LedgerLine, "kind" | "cost_state">): Look {
  switch (kind) {
    case "reserve":
      return { hue: "neutral", icon: "clock", word: "Reserved" };
    case "release":
      return { hue: "neutral", icon: "arrowLeft", word: "Given back" };
    case "settle":
      return cost_state === "unknown" ? { hue: "warning", icon: "question", word: "Spent" } : { hue: "good", icon: "check", word: "Spent" };
  }
}

/** How well a cost is known, in words; empty for lines that are no cost (X2). */
export function costWords({ cost_state, micro_usd, known_micro_usd }: Pick<LedgerLine, "cost_state" | "micro_usd" | "known_micro_usd">): string {
  if (cost_state === null || cost_state === undefined) return "";
  if (cost_state !== "unknown") return cost_state;
  const known = Math.min(known_micro_usd ?? 0, micro_usd);
  return micro_usd === 0 ? "unknown" : spentWords({ known, held: micro_usd - known });
}
