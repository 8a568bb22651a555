import type { Run } from "@/api/queries/runs";
import type { LiveRun } from "@/live/run";
import { visible } from "@/format/text";
import { cx } from "@/ui/classes";
import { isTerminal } from "@/ui/status";
import { PHASE_ORDER, phaseWords } from "./words";

/** Where a dispatch is on its way, and what its agent does there. */
export function PhaseLine({ run, told }: { run: Run; told: LiveRun | null }) {
  const at = PHASE_ORDER.findIndex((phase) => phase === run.phase);
  const going = !isTerminal(run.status);
  return (
    <div className="flex flex-col gap-1">
      <ol aria-label="Phases" className="flex flex-wrap items-center gap-x-2 gap-y-0.5 text-sm">
        {PHASE_ORDER.map((phase, place) => (
          <li key={phase} aria-current={going && place === at ? "step" : undefined} className={cx("flex items-center gap-2", going && place === at ? "font-medium text-running" : place < at || !going ? "text-soft" : "text-faint")}>
            {place > 0 && <span aria-hidden="true" className="text-faint">→</span>}
            {phase.replaceAll("_", " ")}
          </li>
        ))}
        {at < 0 && going && run.phase !== "" && <li aria-current="step" className="font-medium text-running">{visible(run.phase)}</li>}
      </ol>
      {going && <p className="text-soft">{run.status === "paused" ? "paused" : visible(phaseWords(run.phase))}{told !== null && told.step !== "" && <span className="text-faint">, {visible(told.step)}</span>}</p>}
    </div>
  );
}
