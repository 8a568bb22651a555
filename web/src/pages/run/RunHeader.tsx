import type { Run } from "@/api/queries/runs";
import { count } from "@/format/number";
import { shortId, visible } from "@/format/text";
import { instant } from "@/format/time";
import { Copy } from "@/ui/Copy";
import { Progress } from "@/ui/Progress";
import { Code } from "@/ui/states";
import { StatusBadge } from "@/ui/Status";
import { HUES, isTerminal } from "@/ui/status";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { Ago, Took } from "@/ui/Time";
import type { Remark } from "@/live/remarks";
import { Remarks } from "./Remarks";
import { RunBudget } from "./budget/RunBudget";
import { DispatchActions } from "./dispatch/DispatchActions";
import { StartedBy } from "./dispatch/DispatchFacts";
import { lookOfWork } from "./dispatch/words";
import { RunActions } from "./RunActions";

/** Where a run stands, in one look. */
export function RunHeader({ run, project, remarks }: { run: Run; project: string; remarks: readonly Remark[] }) {
  const look = lookOfWork(run.status, run.verdict);
  const done = isTerminal(run.status);
  const by = "name" in run.created_by ? run.created_by.name : run.created_by.type;
  const proof = run.proof ?? null;
  return (
    <header className="flex shrink-0 flex-col gap-1.5 border-b border-line px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <h1 className="flex items-center text-lg font-semibold">
          {run.kind === "proof" ? "Proof run" : run.kind === "dispatch" ? "Dispatch" : `Run (${visible(run.kind)})`}
          <span className="ml-2 font-mono text-base font-normal text-soft">{shortId(run.id)}</span>
          <Copy text={run.id} label="Copy the run's id" />
        </h1>
        <span role="status">
          <StatusBadge look={look} {...(run.cancelling && !done ? { word: "Cancelling" } : {})} />
        </span>
        {!done && <span className="text-soft">{visible(run.phase)}</span>}
        <div className="ml-auto max-sm:ml-0 max-sm:w-full">
          {run.kind === "dispatch" ? <DispatchActions run={run} project={project} /> : <RunActions run={run} project={project} />}
        </div>
      </div>
      <dl className="flex flex-wrap items-center gap-x-5 gap-y-1 text-soft">
        <Fact name="Progress">
          <span className="inline-flex w-52"><Progress {...run.progress} hue={look.hue} going={!done} /></span>
        </Fact>
        <Fact name={done ? "Took" : "Elapsed"}>
          {run.started_at == null ? "not started" : <Took from={instant(run.started_at)} to={run.finished_at == null ? null : instant(run.finished_at)} className="text-ink" />}
        </Fact>
        <Fact name="Started">
          <Ago at={run.created_at} className="text-ink" /> by {visible(by)}
        </Fact>
        <RunBudget run={run} project={project} />
        {proof?.tree_start != null && (
          <Fact name="Tree">
            <code className="text-sm text-ink" title={proof.tree_start}>{proof.tree_start.slice(0, 10)}</code>
            {proof.commit != null && <> at <code className="text-sm text-ink" title={proof.commit}>{proof.commit.slice(0, 10)}</code></>}
            {proof.dirty && " with uncommitted changes"}
          </Fact>
        )}
      </dl>
      <Ending run={run} />
      {run.kind === "proof" && <StartedBy run={run} project={project} />}
      <Remarks run={run.id} project={project} remarks={remarks} notes={run.proof?.notes ?? []} />
    </header>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="flex items-baseline gap-1.5">
      <dt className="text-sm text-faint">{name}</dt>
      <dd className="num">{children}</dd>
    </div>
  );
}

/** What a run says at its end, or why it failed. */
function Ending({ run }: { run: Run }) {
  if (run.failure != null) {
    return (
      <div role="alert" className={cx("flex items-start gap-2 rounded-md px-3 py-2", HUES.bad.tint)}>
        <Icon name="warning" className="mt-0.5 text-bad" />
        <div className="min-w-0">
          <p className="break-words">{visible(run.failure.message)} <Code code={run.failure.code} /></p>
          {"hint" in run.failure && typeof run.failure.hint === "string" && <p className="text-soft">{run.failure.hint}</p>}
        </div>
      </div>
    );
  }
  const message = run.proof?.message ?? run.dispatch?.message;
  if (message === undefined || message === "") return null;
  const executed = run.proof?.executed;
  return (
    <p className="break-words text-soft">
      {visible(message)}
      {executed !== undefined && isTerminal(run.status) && `; ${count(executed)} ${executed === 1 ? "command" : "commands"} ran`}
    </p>
  );
}
