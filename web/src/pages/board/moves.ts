import type { Card, IssueStatus } from "@/api/queries/issues";
import { wordOf } from "./words";

/** The columns of the board, in the order of an issue's life. */
export const COLUMNS: readonly IssueStatus[] = ["triage", "ready", "in_progress", "waiting", "done", "closed"];

/** A column as it is shown. */
export interface Column {
  status: IssueStatus;
  count: number;
  cards: readonly Card[];
  /** More of them are to come. */
  more: boolean;
  /** Why they did not come. */
  error?: Error;
}

/** Where a card is about to go: before the card that stands there now, or behind the last. */
export interface Place {
  id: string;
  status: IssueStatus;
  /** Among the other cards of the column. */
  at: number;
}

/** The place where a card is now. */
export function placeOf(columns: readonly Column[], id: string): Place | null {
  for (const { status, cards } of columns) {
    const at = cards.findIndex((card) => card.id === id);
    if (at >= 0) return { id, status, at };
  }
  return null;
}

/** The columns with a card at another place. */
export function placed(columns: readonly Column[], place: Place): readonly Column[] {
  const card = columns.flatMap((column) => column.cards).find((one) => one.id === place.id);
  if (card === undefined) return columns;
  return columns.map((column) => {
    const others = column.cards.filter((one) => one.id !== place.id);
    const count = column.count - (column.cards.length - others.length);
    if (column.status !== place.status) return { ...column, cards: others, count };
    return { ...column, count: count + 1, cards: [...others.slice(0, place.at), { ...card, status: place.status }, ...others.slice(place.at)] };
  });
}

/** A step by an arrow key; null where there is nothing in that direction. */
export function stepped(columns: readonly Column[], place: Place, key: string): Place | null {
  const others = (status: IssueStatus) => columns.find((column) => column.status === status)?.cards.filter((card) => card.id !== place.id).length ?? 0;
  if (key === "ArrowUp") return place.at > 0 ? { ...place, at: place.at - 1 } : null;
  if (key === "ArrowDown") return place.at < others(place.status) ? { ...place, at: place.at + 1 } : null;
  const next = COLUMNS[COLUMNS.indexOf(place.status) + (key === "ArrowRight" ? 1 : -1)];
  return next === undefined ? null : { ...place, status: next, at: Math.min(place.at, others(next)) };
}

/** What the server is asked to do: the column, and the card to stand before. */
export function asked(columns: readonly Column[], place: Place): { status: IssueStatus; before?: string | null } {
  const column = columns.find((one) => one.status === place.status);
  const others = column?.cards.filter((card) => card.id !== place.id) ?? [];
  const before = others[place.at]?.id;
  if (before !== undefined) return { status: place.status, before };
  // Behind the last that is shown: only where there are no others is that the end.
  return column?.more === true || others.length === 0 ? { status: place.status } : { status: place.status, before: null };
}

/** The place in words, for those who hear the page. */
export function spoken(columns: readonly Column[], place: Place): string {
  const others = columns.find((column) => column.status === place.status)?.cards.filter((card) => card.id !== place.id).length ?? 0;
  return `${wordOf(place.status)}, place ${place.at + 1} of ${others + 1}`;
}
