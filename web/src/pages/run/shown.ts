import type { Run } from "@/api/queries/runs";
import { progressOf, type LiveRun } from "@/live/run";
import { isTerminal } from "@/ui/status";

/**
 * The run as it is shown: what was read, moved on by what its journal has told since. What has ended
 * never goes back, whichever of the two came last (P79).
 */
export function shownRun(read: Run, told: LiveRun | null): Run {
  if (told?.status == null || isTerminal(read.status)) return read;
  const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    ...read,
    status: told.status,
    phase: told.phase === "" ? read.phase : told.phase,
    verdict: (told.verdict ?? read.verdict ?? null) as NonNullable<Run["verdict"]> | null,
    cancelling: told.cancelling || read.cancelling,
    progress: told.gates.size === 0 ? read.progress : progressOf(told),
    started_at: read.started_at ?? iso(told.startedAt),
    finished_at: iso(told.finishedAt),
  };
}
