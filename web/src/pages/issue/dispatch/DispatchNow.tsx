import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Issue } from "@/api/queries/issues";
import { runQuery } from "@/api/queries/runs";
import { shortId, visible } from "@/format/text";
import { useLiveRunOf } from "@/live/hooks";
import { DispatchActions } from "@/pages/run/dispatch/DispatchActions";
import { PhaseLine } from "@/pages/run/dispatch/PhaseLine";
import { Waiting } from "@/pages/run/dispatch/Waiting";
import { lookOfWork } from "@/pages/run/dispatch/words";
import { RunQuestions } from "@/pages/run/RunQuestions";
import { shownRun } from "@/pages/run/shown";
import { Code } from "@/ui/states";
import { StatusBadge } from "@/ui/Status";
import { isTerminal } from "@/ui/status";

/** The newest dispatch of an issue, as it goes; what came of it, when it has ended. */
export function DispatchNow({ issue, project }: { issue: Issue; project: string }) {
  const id = issue.run?.kind === "dispatch" ? issue.run.id : null;
  const query = useQuery({ ...runQuery(id ?? ""), enabled: id !== null });
  const told = useLiveRunOf(id);
  if (id === null || query.data === undefined) return null;
  const run = shownRun(query.data, told);
  const done = isTerminal(run.status);
  const look = lookOfWork(run.status, run.verdict);
  return (
    <section aria-label="The work on it" className="flex flex-col gap-2 rounded-md border border-line px-3 py-2">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span role="status"><StatusBadge look={look} {...(run.cancelling && !done ? { word: "Cancelling" } : {})} /></span>
        <Link to="/p/$key/runs/$run" params={{ key: project, run: id }} className="font-mono text-sm underline underline-offset-2">run {shortId(id)}</Link>
        <span className="text-sm text-soft">{visible(run.dispatch?.role.id ?? "")}</span>
        <span className="ml-auto max-sm:ml-0"><DispatchActions run={run} project={project} stay /></span>
      </header>
      {!done && <PhaseLine run={run} told={told} />}
      <Waiting run={run} />
      {/* What the run asks itself stands in the conversation. */}
      <RunQuestions run={run} project={project} told={told} shared />
      {run.failure != null && (
        <p role="alert" className="break-words text-bad">{visible(run.failure.message)} <Code code={run.failure.code} />{"hint" in run.failure && typeof run.failure.hint === "string" && <span className="text-soft"> {run.failure.hint}</span>}</p>
      )}
      {done && run.failure == null && (
        <p className="break-words">
          {visible(run.dispatch?.message ?? "")}
          {run.dispatch?.report != null && <> <Link to="/p/$key/issues/$number" params={{ key: project, number: String(issue.number) }} search={{ tab: "changes", run: id }} className="underline underline-offset-2">Look at the changes</Link></>}
        </p>
      )}
    </section>
  );
}
