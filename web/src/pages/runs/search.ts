import type { RunStatus } from "@/api/queries/runs";

/** What of the list stands in the address (W2). */
export interface RunsSearch {
  /** Only these; all when absent. */
  status?: readonly RunStatus[];
}

/** In the order of the filter. */
export const STATUSES: readonly RunStatus[] = ["running", "waiting", "paused", "queued", "completed", "failed", "cancelled"];

export function readRunsSearch(search: Record<string, unknown>): RunsSearch {
  const asked = Array.isArray(search.status) ? search.status : typeof search.status === "string" ? search.status.split(",") : [];
  const status = STATUSES.filter((one) => asked.includes(one));
  return status.length === 0 ? {} : { status };
}
