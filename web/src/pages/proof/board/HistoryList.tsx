import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { runsQuery, type Run } from "@/api/queries/runs";
import { count } from "@/format/number";
import { shortId, visible } from "@/format/text";
import { instant } from "@/format/time";
import { useLiveRunOf } from "@/live/hooks";
import { shownRun } from "@/pages/run/shown";
import { Button } from "@/ui/Button";
import { Progress } from "@/ui/Progress";
import { Empty, Failed, SkeletonRows } from "@/ui/states";
import { Status } from "@/ui/Status";
import { isTerminal, lookOfRun } from "@/ui/status";
import { Ago, Took } from "@/ui/Time";
import { useProof } from "../context";
import { nameOf } from "../words";
import { without } from "../search";

/** The project's proof runs, newest first; the active one is on top. */
export function HistoryList() {
  const { project } = useProof();
  const list = useInfiniteQuery(runsQuery(project, { kind: "proof" }));
  const runs = list.data?.pages.flatMap((page) => page.items) ?? [];
  if (list.isPending) return <SkeletonRows rows={8} columns={["5rem", "5rem", "40%"]} label="Loading the history" />;
  if (list.data === undefined) return <Failed what="The history could not be loaded" error={list.error} busy={list.isFetching} onRetry={() => void list.refetch()} />;
  if (runs.length === 0) {
    return (
      <Empty icon="runs" title="No runs yet">
        <p>Each run stays here with its verdict, who started it and the files that it judged.</p>
      </Empty>
    );
  }
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <ol aria-label="Proof runs">
        {runs.map((run) => (
          <HistoryRow key={run.id} read={run} />
        ))}
      </ol>
      {list.hasNextPage && (
        <div className="p-3">
          <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>Older runs</Button>
        </div>
      )}
    </div>
  );
}

function HistoryRow({ read }: { read: Run }) {
  const told = useLiveRunOf(isTerminal(read.status) ? null : read.id);
  const run = shownRun(read, told);
  const done = isTerminal(run.status);
  const look = lookOfRun(run.status, run.verdict);
  const tree = run.proof?.tree_start;
  const failed = run.progress.failed;
  return (
    <li className="relative grid grid-cols-[6.5rem_minmax(0,1fr)_auto] items-center gap-x-3 gap-y-0.5 border-b border-line px-4 py-2 outline-offset-[-2px] outline-accent hover:bg-panel has-[a:focus-visible]:outline-2">
      <Status look={look} />
      <span className="flex min-w-0 items-baseline gap-2">
        <Link from="/p/$key/proof" to="/p/$key/proof/runs/$run" params={(before) => ({ ...before, run: run.id })} search={(before) => without(before, "view")} className="font-mono text-sm outline-none after:absolute after:inset-0">
          {shortId(run.id)}
        </Link>
        {typeof run.config.mode === "string" && run.config.mode !== "full" && <span className="text-sm text-soft">{visible(run.config.mode).replace("_", " ")}</span>}
        {run.retry_of != null && <span className="text-sm text-soft">retry</span>}
      </span>
      <span className="num text-sm text-soft">{run.started_at == null ? "" : <Took from={instant(run.started_at)} to={run.finished_at == null ? null : instant(run.finished_at)} />}</span>
      <span className="text-sm text-faint"><Ago at={run.created_at} /></span>
      <span className="num min-w-0 truncate text-sm text-soft">
        {done ? (
          <>
            {count(run.progress.total)} gates{failed > 0 && <span className="text-bad">, {count(failed)} failed</span>} by {visible(nameOf(run.created_by))}
          </>
        ) : (
          <Progress {...run.progress} hue={look.hue} going />
        )}
      </span>
      <code className="text-sm text-faint" title={typeof tree === "string" ? `tree ${tree}` : undefined}>{typeof tree === "string" ? tree.slice(0, 8) : ""}</code>
    </li>
  );
}
