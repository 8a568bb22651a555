import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { runQuery, type Run } from "@/api/queries/runs";
import { count } from "@/format/number";
import { shortId } from "@/format/text";
import { useLiveRun } from "@/live/hooks";
import type { LiveRun } from "@/live/run";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { Bar, Failed } from "@/ui/states";
import { isTerminal } from "@/ui/status";
import { LedgerView } from "./budget/LedgerView";
import { mayCost } from "./budget/RunBudget";
import { SpanDetail } from "./detail/SpanDetail";
import { newest } from "./detail/newest";
import { DispatchFacts } from "./dispatch/DispatchFacts";
import { JournalView } from "./journal/JournalView";
import { RunHeader } from "./RunHeader";
import { RunQuestions } from "./RunQuestions";
import { Timeline } from "./Timeline";
import { shownRun } from "./shown";

/** A run of any kind, as it goes. */
export function RunPage() {
  const { key, run: id } = useParams({ from: "/shell/p/$key/runs/$run" });
  const query = useQuery(runQuery(id));
  const told = useLiveRun(id);
  const run = query.data === undefined ? null : shownRun(query.data, told);
  return (
    <>
      <title>{`Run ${shortId(id)} · ${key} · Proofhouse`}</title>
      {run !== null && <RunHeader run={run} project={key} remarks={told?.remarks ?? []} />}
      {run !== null && <RunQuestions run={run} project={key} told={told} />}
      {run?.kind === "dispatch" && <DispatchFacts run={run} project={key} told={told} />}
      {query.isPending && <HeaderSkeleton id={id} />}
      {run === null && query.error !== null && (
        <>
          <h1 className="px-4 pt-3 text-lg font-semibold">Run {shortId(id)}</h1>
          <Failed what="The run could not be loaded" error={query.error} busy={query.isFetching} onRetry={() => void query.refetch()} />
        </>
      )}
      {run !== null && (
        // How many entries have been told, each once: what a test of lost connections counts.
        <div className="flex min-h-0 flex-1 flex-col" data-entries={told?.index.length ?? 0}>
          <Views key={id} run={run} project={key} told={told} />
        </div>
      )}
    </>
  );
}

/** The run by its parts, or by what it wrote down. */
function Views({ run, project, told }: { run: Run; project: string; told: LiveRun | null }) {
  const search = useSearch({ from: "/shell/p/$key/runs/$run" });
  const navigate = useNavigate({ from: "/p/$key/runs/$run" });
  const going = !isTerminal(run.status);
  const [wanted, follow] = useState(search.span === undefined && search.entry === undefined);
  const following = going && wanted;
  const chosen = following ? newest(told?.spans) : search.span === undefined ? undefined : (told?.spans.get(search.span) ?? undefined);
  const choose = (span: string | undefined) => {
    follow(false);
    // What one follows is chosen already: a click on it keeps it.
    const same = !following && span === search.span;
    void navigate({ search: span === undefined || same ? {} : { span }, replace: true });
  };
  const { view } = search;
  const costs = mayCost(run);
  return (
    <>
      <div className="flex shrink-0 items-center gap-1 border-b border-line px-3">
        <nav aria-label="Views of the run" className="flex">
          <View on={view === undefined} run={run.id} project={project} search={{}}>Timeline</View>
          <View on={view === "journal"} run={run.id} project={project} search={{ view: "journal" }}>
            Journal {told !== null && told.index.length > 0 && <span className="num text-sm font-normal text-faint">{count(told.index.length)}</span>}
          </View>
          {(costs || view === "ledger") && <View on={view === "ledger"} run={run.id} project={project} search={{ view: "ledger" }}>Ledger</View>}
        </nav>
        {going && view !== "ledger" && (
          <button
            type="button"
            aria-pressed={following}
            onClick={() => follow(!wanted)}
            title={view === "journal" ? "Keep the newest entry in view" : "Show what has begun last, as it changes"}
            className={cx("ml-auto flex h-6 items-center gap-1 rounded-md border px-2 text-sm max-sm:h-8", following ? "border-accent bg-accent-tint text-accent" : "border-line text-soft hover:border-line-strong")}
          >
            <Icon name="arrowDown" size={12} />
            Follow
          </button>
        )}
      </div>
      {view === "ledger" ? (
        <LedgerView run={run.id} project={project} />
      ) : view === "journal" ? (
        <JournalView run={run.id} project={project} told={told} search={search} following={following} onFollow={(to) => going && follow(to)} />
      ) : (
        <div className={cx("flex min-h-0 flex-1 flex-col", "min-[1800px]:flex-row")}>
          <div className={cx("flex min-h-0 min-w-0 flex-1 flex-col", chosen !== undefined && "max-sm:hidden")}>
            <Timeline told={told} chosen={chosen?.id} following={following} onChoose={choose} />
          </div>
          {chosen !== undefined && told !== null && (
            <SpanDetail
              key={chosen.id}
              span={chosen} run={run} project={project} told={told} line={search.line}
              onLine={(line) => {
                follow(false);
                void navigate({ search: line === undefined ? { span: chosen.id } : { span: chosen.id, line }, replace: true });
              }}
              onClose={() => choose(undefined)}
            />
          )}
        </div>
      )}
    </>
  );
}

function View({ on, run, project, search, children }: { on: boolean; run: string; project: string; search: { view?: "journal" | "ledger" }; children: ReactNode }) {
  return (
    <Link
      to="/p/$key/runs/$run"
      params={{ key: project, run }}
      search={search}
      replace
      aria-current={on ? "page" : undefined}
      className={cx("-mb-px flex h-9 items-center gap-1.5 border-b-2 px-3 max-sm:h-10", on ? "border-accent font-medium" : "border-transparent text-soft hover:text-ink")}
    >
      {children}
    </Link>
  );
}

function HeaderSkeleton({ id }: { id: string }) {
  return (
    <div role="status" aria-label="Loading the run" className="flex flex-col gap-2 border-b border-line px-4 py-3">
      <div className="flex h-7 items-center gap-3">
        <h1 className="text-lg font-semibold">Run {shortId(id)}</h1>
        <Bar width="6rem" />
      </div>
      <Bar width="60%" />
    </div>
  );
}
