import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { boardQuery, restOfColumnQuery, type BoardFilter, type Card, type IssueStatus } from "@/api/queries/issues";
import type { Column } from "./moves";

/** The board with as much of each column as was scrolled to. */
export function useBoard(project: string, filter: BoardFilter) {
  const board = useQuery(boardQuery(project, filter));
  const cursors = new Map(board.data?.columns.map((column) => [column.status, column.next_cursor ?? null]));
  const cursorOf = (status: IssueStatus) => cursors.get(status) ?? null;
  const rests: Record<IssueStatus, Rest> = {
    triage: useRest(project, filter, "triage", cursorOf("triage")),
    ready: useRest(project, filter, "ready", cursorOf("ready")),
    in_progress: useRest(project, filter, "in_progress", cursorOf("in_progress")),
    waiting: useRest(project, filter, "waiting", cursorOf("waiting")),
    done: useRest(project, filter, "done", cursorOf("done")),
    closed: useRest(project, filter, "closed", cursorOf("closed")),
  };
  const columns: Column[] = (board.data?.columns ?? []).map(({ status, count, cards }) => {
    const rest = rests[status];
    return { status, count, cards: once([...cards, ...rest.cards]), more: rest.more, ...(rest.error === null ? {} : { error: rest.error }) };
  });
  return { board, columns, onMore: (status: IssueStatus) => rests[status].next() };
}

interface Rest {
  cards: readonly Card[];
  more: boolean;
  error: Error | null;
  next: () => void;
}

function useRest(project: string, filter: BoardFilter, status: IssueStatus, cursor: string | null): Rest {
  const [wanted, want] = useState(false);
  const on = wanted && cursor !== null;
  const rest = useInfiniteQuery({ ...restOfColumnQuery(project, filter, status, cursor ?? ""), enabled: on });
  const { refetch, isFetching, isError } = rest;
  const began = rest.data?.pages[0]?.from;
  // The beginning of the column now ends at another card: what follows is read from there.
  const moved = on && began !== undefined && began !== cursor && !isFetching && !isError;
  useEffect(() => {
    if (moved) void refetch();
  }, [moved, refetch]);
  return {
    cards: on ? (rest.data?.pages.flatMap((page) => page.items) ?? []) : [],
    more: cursor !== null && (!on || rest.data === undefined || rest.hasNextPage),
    error: on ? rest.error : null,
    next: () => {
      if (!wanted) want(true);
      else if (isError) void (rest.data === undefined ? refetch() : rest.fetchNextPage());
      else if (rest.hasNextPage && !isFetching) void rest.fetchNextPage();
    },
  };
}

/** While cards move, two answers of different moments may both have one. */
function once(cards: readonly Card[]): Card[] {
  const seen = new Set<string>();
  return cards.filter(({ id }) => !seen.has(id) && seen.add(id));
}
