import type { UseInfiniteQueryResult } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useCallback } from "react";
import type { Shape } from "@/api/client";
import type { Requirement, RequirementFilter } from "@/api/queries/proof";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { useMedia } from "@/ui/media";
import { Bar, Empty, Failed } from "@/ui/states";
import { VirtualRows } from "@/ui/VirtualRows";
import { isFiltered, without } from "../search";
import { Filters } from "./Filters";
import { GRID, RequirementRow } from "./RequirementRow";

const COLUMNS: readonly { label: string; sort?: readonly [first: string, then?: string]; className?: string }[] = [
  { label: "Status", sort: ["status"] },
  { label: "Number", sort: ["id", "-id"] },
  { label: "Requirement", sort: ["title"] },
  { label: "Gates" },
  { label: "Severity", sort: ["severity"] },
];

interface RequirementTableProps {
  list: UseInfiniteQueryResult;
  rows: readonly Requirement[];
  filter: RequirementFilter;
  counts: Shape<"RequirementList">["by_status"] | undefined;
  /** How many the filter finds. */
  total: number | undefined;
}

/** Every requirement, however many: rows that are not here yet come as they are scrolled to. */
export function RequirementTable({ list, rows, filter, counts, total }: RequirementTableProps) {
  const { key } = useParams({ from: "/shell/p/$key/proof" });
  const narrow = useMedia("(width < 40rem)");
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const first = list.isPending;
  return (
    <>
      <Filters filter={filter} counts={counts} total={total} />
      {list.error !== null && rows.length === 0 && <Failed what="The requirements could not be loaded" error={list.error} busy={list.isFetching} onRetry={() => void list.refetch()} />}
      {first && <Skeleton />}
      {!first && list.error === null && rows.length === 0 && <NothingFound filter={filter} />}
      {rows.length > 0 && (
        <VirtualRows
          label={`Requirements of ${key}`}
          count={total ?? rows.length}
          height={narrow ? 76 : 36}
          columns={COLUMNS.length}
          keyOf={(at) => rows[at]?.id ?? at}
          shown={rows.length}
          onEnd={onEnd}
          head={<Head sort={filter.sort ?? "id"} />}
          row={(at) => {
            const row = rows[at];
            return row === undefined ? <SkeletonRow /> : <RequirementRow requirement={row} />;
          }}
          foot={list.isFetchNextPageError && <Failed what="More requirements could not be loaded" error={list.error} onRetry={() => void fetchNextPage()} />}
        />
      )}
    </>
  );
}

function Head({ sort }: { sort: string }) {
  const navigate = useNavigate({ from: "/p/$key/proof" });
  return (
    <div role="row" aria-rowindex={1} className={cx("h-8 border-b border-line px-4 text-sm text-faint max-sm:sr-only", GRID)}>
      {COLUMNS.map(({ label, sort: sorts }) => {
        const at = sorts?.indexOf(sort) ?? -1;
        const sorted = at < 0 ? "none" : sort.startsWith("-") ? "descending" : "ascending";
        return (
          <span key={label} role="columnheader" aria-sort={sorts === undefined ? undefined : sorted} className={label === "Severity" ? "text-right" : ""}>
            {sorts === undefined ? (
              label
            ) : (
              <button
                type="button"
                onClick={() => {
                  const next = (at >= 0 ? sorts[at + 1] : undefined) ?? sorts[0];
                  void navigate({ to: ".", search: (before) => (next === "id" ? without(before, "sort") : { ...without(before, "sort"), sort: next }), replace: true });
                }}
                className={cx("inline-flex items-center gap-1 hover:text-ink", at >= 0 && "text-soft")}
              >
                {label}
                {at >= 0 && <Icon name={sorted === "descending" ? "arrowDown" : "arrowUp"} size={11} />}
              </button>
            )}
          </span>
        );
      })}
    </div>
  );
}

function SkeletonRow() {
  return (
    <div aria-hidden="true" className={cx("h-full border-b border-line px-4 max-sm:flex max-sm:items-center max-sm:gap-4", GRID)}>
      <span><Bar width="4.5rem" /></span>
      <span><Bar width="4rem" /></span>
      <span className="max-sm:flex-1"><Bar width="55%" /></span>
      <span><Bar width="5rem" /></span>
      <span className="text-right"><Bar width="3rem" /></span>
    </div>
  );
}

/** The real layout without its words (W3). */
function Skeleton() {
  return (
    <div role="status" aria-label="Loading requirements" className="pt-8">
      {Array.from({ length: 10 }, (_, at) => (
        <div key={at} className="h-9 max-sm:h-19">
          <SkeletonRow />
        </div>
      ))}
    </div>
  );
}

function NothingFound({ filter }: { filter: RequirementFilter }) {
  return (
    <Empty
      icon="search"
      title="No requirement is like that"
      action={
        isFiltered(filter) && (
          <Link from="/p/$key/proof" to="." search={{}} className="text-accent underline underline-offset-2">
            Show all requirements
          </Link>
        )
      }
    >
      <p>{filter.q === undefined ? "Every requirement is other than what is asked for." : `No title, text or number holds “${filter.q}” among those asked for.`}</p>
    </Empty>
  );
}
