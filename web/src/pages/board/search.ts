import type { Attention, BoardFilter, IssueKind } from "@/api/queries/issues";

/** What of the board stands in the address (W2). */
export interface BoardSearch extends BoardFilter {
  /** As a list instead of columns. */
  view?: "list";
}

export const KINDS: readonly IssueKind[] = ["epic", "feature", "bug", "refactor", "design", "research", "chore"];
const ATTENTION: readonly Attention[] = ["question", "review", "failed", "plan"];

export function readBoardSearch(search: Record<string, unknown>): BoardSearch {
  const kind = KINDS.find((one) => one === search.kind);
  const attention = ATTENTION.find((one) => one === search.attention);
  const text = (name: "q" | "label" | "assignee") => {
    const value = search[name];
    const words = typeof value === "string" || typeof value === "number" ? String(value).trim().slice(0, 200) : "";
    return words === "" ? {} : { [name]: words };
  };
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(attention === undefined ? {} : { attention }),
    ...text("q"), ...text("label"), ...text("assignee"),
    ...(search.view === "list" ? { view: "list" as const } : {}),
  };
}
