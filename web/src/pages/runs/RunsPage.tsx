import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";
import { runsQuery, type RunStatus } from "@/api/queries/runs";
import { count } from "@/format/number";
import { useMedia } from "@/ui/media";
import { cx } from "@/ui/classes";
import { Commands, Empty, Failed, SkeletonRows } from "@/ui/states";
import { VirtualRows } from "@/ui/VirtualRows";
import { Icon } from "@/ui/Icon";
import { HUES, lookOfStatus } from "@/ui/status";
import { GRID, RunRow } from "./RunRow";
import { STATUSES } from "./search";

const COLUMNS = ["Status", "Run", "Progress", "Took", "By", "Started"] as const;

/** A project's runs, newest first, as they change. */
export function RunsPage() {
  const { key } = useParams({ from: "/shell/p/$key/runs/" });
  const search = useSearch({ from: "/shell/p/$key/runs/" });
  const narrow = useMedia("(width < 40rem)");
  const filter = search.status === undefined ? {} : { status: search.status };
  const list = useInfiniteQuery({ ...runsQuery(key, filter), placeholderData: keepPreviousData });
  const runs = list.data?.pages.flatMap((page) => page.items) ?? [];
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  return (
    <>
      <title>{`Runs · ${key} · Proofhouse`}</title>
      <div className="flex shrink-0 flex-wrap items-center gap-x-4 gap-y-1 border-b border-line px-4 py-2">
        <h1 className="text-lg font-semibold">Runs</h1>
        <Filter asked={search.status ?? []} />
        <p role="status" className="num ml-auto text-sm text-faint max-sm:sr-only">
          {list.data !== undefined && `${count(runs.length)}${hasNextPage ? "+" : ""} shown`}
        </p>
      </div>
      {list.error !== null && list.data === undefined && <Failed what="The runs could not be loaded" error={list.error} busy={list.isFetching} onRetry={() => void list.refetch()} />}
      {list.isPending && <SkeletonRows rows={12} columns={["5rem", "9rem", "30%", "4rem", "5rem"]} label="Loading runs" />}
      {list.data !== undefined && runs.length === 0 && <Nothing filtered={search.status !== undefined} project={key} />}
      {runs.length > 0 && (
        <VirtualRows
          label={`Runs of ${key}`}
          count={runs.length}
          height={narrow ? 72 : 37}
          more={hasNextPage}
          columns={COLUMNS.length}
          keyOf={(at) => runs[at]?.id ?? at}
          onEnd={onEnd}
          head={
            <div role="row" aria-rowindex={1} className={cx("h-8 border-b border-line px-4 text-sm text-faint max-sm:sr-only", GRID)}>
              {COLUMNS.map((column) => (
                <span key={column} role="columnheader" className={column === "Took" || column === "Started" ? "sm:text-right" : ""}>
                  {column}
                </span>
              ))}
            </div>
          }
          row={(at) => {
            const run = runs[at];
            return run === undefined ? null : <RunRow run={run} project={key} />;
          }}
          foot={
            <>
              {isFetchingNextPage && <SkeletonRows rows={3} columns={["5rem", "9rem", "30%"]} label="Loading more runs" />}
              {list.isFetchNextPageError && <Failed what="More runs could not be loaded" error={list.error} onRetry={() => void fetchNextPage()} />}
            </>
          }
        />
      )}
    </>
  );
}

function Filter({ asked }: { asked: readonly RunStatus[] }) {
  const navigate = useNavigate({ from: "/p/$key/runs" });
  const toggle = (status: RunStatus) => {
    const next = asked.includes(status) ? asked.filter((one) => one !== status) : STATUSES.filter((one) => one === status || asked.includes(one));
    void navigate({ search: next.length === 0 ? {} : { status: next }, replace: true });
  };
  return (
    <div role="group" aria-label="Only these statuses" className="flex flex-wrap gap-1">
      {STATUSES.map((status) => {
        const look = lookOfStatus(status);
        const on = asked.includes(status);
        return (
          <button
            key={status}
            type="button"
            aria-pressed={on}
            onClick={() => toggle(status)}
            className={cx(
              "flex h-6 items-center gap-1 rounded-md border px-2 text-sm max-sm:h-8",
              on ? cx(HUES[look.hue].tint, HUES[look.hue].text, HUES[look.hue].line, "font-medium") : "border-line text-soft hover:border-line-strong",
            )}
          >
            <Icon name={look.icon} size={12} />
            {look.word}
          </button>
        );
      })}
    </div>
  );
}

function Nothing({ filtered, project }: { filtered: boolean; project: string }) {
  if (filtered) {
    return (
      <Empty
        icon="runs"
        title="No run is like that"
        action={<Link to="/p/$key/runs" params={{ key: project }} className="text-accent underline underline-offset-2">Show all runs</Link>}
      >
        <p>Every run of {project} has another status than those asked for.</p>
      </Empty>
    );
  }
  return (
    <Empty icon="runs" title="No run yet">
      <p>A run judges the project&apos;s requirements: it runs their gates on the files as they are and keeps what it saw as evidence. Start the first one in the repository:</p>
      <Commands lines={["proofhouse proof run"]} />
      <p>It shows here at once, and you can follow it as it goes.</p>
    </Empty>
  );
}
