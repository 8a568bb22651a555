import { Link } from "@tanstack/react-router";
import { shownRun } from "@/pages/run/shown";
import { Progress } from "@/ui/Progress";
import { Status } from "@/ui/Status";
import { isTerminal, lookOfRun } from "@/ui/status";
import { Ago } from "@/ui/Time";
import { useProof } from "../context";

/** The run at hand in one line, where there is no room for the board beside the table (P77). */
export function RunStrip() {
  const { active, last, told } = useProof();
  const run = active ?? (last === null ? null : shownRun(last, told));
  return (
    <nav aria-label="Run" className="flex shrink-0 items-center gap-3 border-b border-line bg-panel px-4 py-2">
      {run === null ? (
        <span className="text-faint">No run yet</span>
      ) : (
        <>
          <Status look={lookOfRun(run.status, run.verdict)} />
          <span className="min-w-0 flex-1">
            {isTerminal(run.status) ? <Ago at={run.finished_at ?? run.created_at} className="text-sm text-faint" /> : <Progress {...run.progress} hue="running" going />}
          </span>
        </>
      )}
      <Link from="/p/$key/proof" to="." search={(before) => ({ ...before, view: "gates" as const })} className="ml-auto py-1 text-accent underline underline-offset-2">Gates</Link>
      <Link from="/p/$key/proof" to="." search={(before) => ({ ...before, view: "history" as const })} className="py-1 text-accent underline underline-offset-2">History</Link>
    </nav>
  );
}
