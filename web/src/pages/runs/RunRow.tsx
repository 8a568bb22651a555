import { Link } from "@tanstack/react-router";
import type { Run } from "@/api/queries/runs";
import { shortId, visible } from "@/format/text";
import { instant } from "@/format/time";
import { useLiveRun } from "@/live/hooks";
import { lookOfWork } from "@/pages/run/dispatch/words";
import { shownRun } from "@/pages/run/shown";
import { cx } from "@/ui/classes";
import { Progress } from "@/ui/Progress";
import { Status } from "@/ui/Status";
import { isTerminal } from "@/ui/status";
import { Ago, Took } from "@/ui/Time";

/** The columns of a list of runs; on a phone a row is a card. */
export const GRID = "sm:grid sm:grid-cols-[8rem_minmax(7rem,1fr)_minmax(8rem,14rem)_6.5rem_minmax(5rem,9rem)_6rem] sm:items-center sm:gap-4";

interface RunRowProps {
  run: Run;
  project: string;
  /** Among runs of other projects. */
  named?: boolean;
}

export function RunRow(props: RunRowProps) {
  return isTerminal(props.run.status) ? <Shown {...props} /> : <Moving {...props} />;
}

/** A run that goes on shows what its journal tells, ahead of the list. */
function Moving({ run, ...rest }: RunRowProps) {
  return <Shown {...rest} run={shownRun(run, useLiveRun(run.id))} />;
}

function Shown({ run, project, named = false }: RunRowProps) {
  const look = lookOfWork(run.status, run.verdict);
  const by = "name" in run.created_by ? run.created_by.name : run.created_by.type;
  const done = isTerminal(run.status);
  const message = run.failure?.message ?? run.proof?.message ?? run.dispatch?.message;
  return (
    <div
      className={cx(
        "h-full border-b border-line px-4 outline-offset-[-2px] outline-accent hover:bg-panel has-[a:focus-visible]:outline-2",
        "max-sm:grid max-sm:grid-cols-[auto_1fr_auto] max-sm:content-center max-sm:items-center max-sm:gap-x-3 max-sm:gap-y-1",
        GRID,
      )}
    >
      <span role="cell" className="flex">
        <Status look={look} {...(run.cancelling && !done ? { word: "Cancelling" } : {})} />
      </span>
      <span role="cell" className="flex min-w-0 items-baseline gap-2">
        {/* Its area is the whole row. */}
        <Link
          to="/p/$key/runs/$run"
          params={{ key: project, run: run.id }}
          className="font-mono text-sm outline-none after:absolute after:inset-0"
        >
          {shortId(run.id)}
        </Link>
        <span className="truncate text-soft">
          {named && <span className="text-ink">{project} </span>}
          {run.kind}
          {!done && run.phase !== "" && run.phase !== "done" && `, ${visible(run.phase)}`}
          {typeof message === "string" && message !== "" && <span className="text-faint max-sm:hidden">, {visible(message)}</span>}
        </span>
      </span>
      <span role="cell" className="max-sm:order-last max-sm:col-span-2">
        <Progress {...run.progress} hue={look.hue} going={!done} />
      </span>
      <span role="cell" className="text-right text-soft max-sm:order-last">
        {run.started_at == null ? <span className="text-faint">{done ? "" : "not yet"}</span> : <Took from={instant(run.started_at)} to={run.finished_at == null ? null : instant(run.finished_at)} />}
      </span>
      <span role="cell" className="truncate text-soft max-sm:sr-only" title={run.trigger}>
        {visible(by)}
      </span>
      <span role="cell" className="text-right text-faint">
        <Ago at={run.created_at} />
      </span>
    </div>
  );
}
