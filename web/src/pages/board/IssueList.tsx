import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCallback } from "react";
import { issueListQuery, type BoardFilter, type Card } from "@/api/queries/issues";
import { visible } from "@/format/text";
import { useMedia } from "@/ui/media";
import { Failed, SkeletonRows } from "@/ui/states";
import { Status } from "@/ui/Status";
import { Ago } from "@/ui/Time";
import { VirtualRows } from "@/ui/VirtualRows";
import { lookOfAttention, lookOfIssue } from "./words";

const COLUMNS = ["Issue", "Title", "Status", "Kind", "Assignee", "Asks for", "Changed"] as const;
const GRID = "grid grid-cols-[4rem_minmax(0,1fr)_8rem_5rem_8rem_9rem_7rem] items-center gap-x-3 px-4 max-lg:grid-cols-[4rem_minmax(0,1fr)_8rem_9rem_7rem] max-sm:grid-cols-[auto_minmax(0,1fr)_auto] max-sm:content-center";

/** The same issues as a table, the last changed first. */
export function IssueList({ filter, project }: { filter: BoardFilter; project: string }) {
  const list = useInfiniteQuery(issueListQuery(project, filter));
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const cards = list.data?.pages.flatMap((page) => page.items) ?? [];
  const narrow = useMedia("(width < 40rem)");
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  if (list.isPending) return <SkeletonRows rows={12} columns={["3rem", "40%", "6rem"]} label="Loading the issues" />;
  if (list.data === undefined) return <Failed what="The issues could not be loaded" error={list.error} busy={list.isFetching} onRetry={() => void list.refetch()} />;
  return (
    <VirtualRows
      label={`Issues of ${project}`} count={cards.length} height={narrow ? 60 : 37} columns={COLUMNS.length} more={hasNextPage} onEnd={onEnd}
      keyOf={(row) => cards[row]?.id ?? row}
      head={
        <div role="row" aria-rowindex={1} className={`h-8 border-b border-line text-sm text-faint max-sm:sr-only ${GRID}`}>
          {COLUMNS.map((column) => <span key={column} role="columnheader" className={column === "Kind" || column === "Assignee" ? "max-lg:hidden" : column === "Changed" ? "sm:text-right" : ""}>{column}</span>)}
        </div>
      }
      row={(row) => {
        const card = cards[row];
        return card === undefined ? null : <Row card={card} project={project} />;
      }}
      foot={isFetchingNextPage ? <SkeletonRows rows={2} columns={["3rem", "40%"]} label="Loading more" /> : list.isFetchNextPageError ? <Failed what="More could not be loaded" error={list.error} onRetry={() => void fetchNextPage()} /> : undefined}
    />
  );
}

function Row({ card, project }: { card: Card; project: string }) {
  const attention = lookOfAttention(card.attention);
  return (
    <div className={`relative h-full border-b border-line hover:bg-panel has-[a:focus-visible]:bg-panel ${GRID}`}>
      <span role="cell" className="num font-mono text-sm text-soft">#{card.number}</span>
      <span role="cell" className="flex min-w-0 max-sm:col-span-2">
        <Link to="/p/$key/issues/$number" params={{ key: project, number: String(card.number) }} title={visible(card.title)} className="truncate after:absolute after:inset-0">
          <bdi>{visible(card.title)}</bdi>
        </Link>
      </span>
      <span role="cell" className="flex"><Status look={lookOfIssue(card.status)} /></span>
      <span role="cell" className="text-soft max-lg:hidden">{card.kind}</span>
      <span role="cell" className="truncate text-soft max-lg:hidden">{card.assignee == null ? "" : visible(card.assignee)}</span>
      <span role="cell" className="flex">{attention !== null && <Status look={attention} />}</span>
      <span role="cell" className="text-sm whitespace-nowrap text-faint sm:text-right"><Ago at={card.updated_at} /></span>
    </div>
  );
}
