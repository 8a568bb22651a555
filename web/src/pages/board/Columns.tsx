import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState, type DragEvent, type KeyboardEvent, type ReactNode } from "react";
import { problemFrom } from "@/api/problem";
import { changeIssue, type Card, type IssueStatus } from "@/api/queries/issues";
import { keys } from "@/api/queries/keys";
import { count } from "@/format/number";
import { cx } from "@/ui/classes";
import { Button } from "@/ui/Button";
import { CardQuestions } from "@/questions/IssueQuestions";
import { Bar, Code } from "@/ui/states";
import { Status } from "@/ui/Status";
import { CardView } from "./CardView";
import { asked, placed, placeOf, spoken, stepped, type Column, type Place } from "./moves";
import { GAP, useSlice } from "./window";
import { lookOfIssue, wordOf } from "./words";

const DRAGGED = "application/x-proofhouse-issue";

interface ColumnsProps {
  columns: readonly Column[];
  project: string;
  /** A column was scrolled to its end, and has more. */
  onMore: (status: IssueStatus) => void;
}

/** The columns. A card is moved by drag, or by `m`, arrow keys and Enter; what came of it is spoken. */
export function Columns({ columns, project, onMore }: ColumnsProps) {
  const [moving, setMoving] = useState<Place | null>(null);
  // The card with the focus, or in a hand: it stays in the document, however far one scrolls.
  const [held, hold] = useState<string | null>(null);
  const [answering, answer] = useState<string | null>(null);
  const asking = columns.flatMap((column) => column.cards).find(({ id }) => id === answering);
  const [words, say] = useState("");
  const ground = useRef<HTMLDivElement>(null);
  const focus = useRef<string | null>(null);
  const client = useQueryClient();
  const navigate = useNavigate();
  const move = useMutation({
    mutationFn: ({ card, place }: { card: Card; place: Place }) => changeIssue(card.id, card.revision, asked(columns, place)),
    onSuccess: (issue) => say(`#${issue.number} moved to ${wordOf(issue.status)}`),
    onError: (error, { card }) => say(`#${card.number} was not moved: ${problemFrom(error).detail}`),
    // What is shown until then is what was asked for; then it is what the plane has.
    onSettled: () => client.invalidateQueries({ queryKey: keys.board(project) }),
  });
  const pending = move.isPending ? move.variables.place : null;
  const place = moving ?? pending;
  const shown = place === null ? columns : placed(columns, place);

  // A card that goes to another column is another element there: focus goes with it.
  useEffect(() => {
    if (focus.current === null) return;
    ground.current?.querySelector<HTMLElement>(`[data-card="${focus.current}"]`)?.focus();
    focus.current = null;
  });

  const commit = (card: Card, to: Place) => {
    setMoving(null);
    const from = placeOf(columns, card.id);
    if (from?.status === to.status && from.at === to.at) {
      say(`#${card.number} stays in ${wordOf(to.status)}`);
      return;
    }
    move.mutate({ card, place: to });
  };

  const onKeyDown = (event: KeyboardEvent<HTMLElement>, card: Card) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const done = () => {
      event.preventDefault();
      event.stopPropagation();
    };
    if (moving?.id === card.id) {
      if (event.key.startsWith("Arrow")) {
        done();
        const next = stepped(columns, moving, event.key);
        if (next === null) return;
        focus.current = card.id;
        setMoving(next);
        say(spoken(columns, next));
      } else if (event.key === "Enter" || event.key === "m") {
        done();
        focus.current = card.id;
        commit(card, moving);
      } else if (event.key === "Escape") {
        done();
        focus.current = card.id;
        setMoving(null);
        say(`#${card.number} stays where it was`);
      }
      return;
    }
    if (event.key === "m" && !move.isPending) {
      done();
      const from = placeOf(columns, card.id);
      if (from === null) return;
      move.reset();
      setMoving(from);
      say(`Moving #${card.number}: arrow keys choose the place, Enter puts it there, Escape leaves it. ${spoken(columns, from)}`);
    } else if (event.key === "a" && card.open_questions > 0) {
      done();
      answer(card.id);
    } else if (event.key === "d") {
      done();
      void navigate({ to: "/p/$key/issues/$number", params: { key: project, number: String(card.number) }, search: { start: true } });
    } else if (event.key === "j" || event.key === "k") {
      done();
      const all = [...(ground.current?.querySelectorAll<HTMLElement>("[data-card]") ?? [])];
      all[all.findIndex((one) => one.dataset.card === card.id) + (event.key === "j" ? 1 : -1)]?.focus();
    }
  };

  const dropped = (event: DragEvent<HTMLElement>, status: Column["status"], before: Card | null) => {
    const id = event.dataTransfer.getData(DRAGGED);
    const card = columns.flatMap((column) => column.cards).find((one) => one.id === id);
    if (card === undefined || move.isPending) return;
    event.preventDefault();
    event.stopPropagation();
    const others = columns.find((column) => column.status === status)?.cards.filter((one) => one.id !== id) ?? [];
    const at = before === null ? others.length : others.findIndex((one) => one.id === before.id);
    commit(card, { id, status, at: at < 0 ? others.length : at });
  };

  const problem = move.error === null ? null : problemFrom(move.error);
  return (
    <>
      <p role="status" className="sr-only">{words}</p>
      {problem !== null && (
        <p role="alert" className="flex shrink-0 items-baseline gap-2 border-b border-bad/40 bg-bad-tint px-4 py-1.5">
          <span className="min-w-0 break-words"><span className="font-medium text-bad">Not moved:</span> {problem.detail}. {problem.hint} (<Code code={problem.code} />)</span>
        </p>
      )}
      <div ref={ground} onFocus={(event) => hold(event.target instanceof HTMLElement ? (event.target.dataset.card ?? null) : null)} className="relative flex min-h-0 flex-1 gap-3 overflow-auto p-3 max-sm:flex-col sm:overflow-y-hidden">
        {shown.map((column) => (
          <section
            key={column.status}
            aria-label={wordOf(column.status)}
            onDragOver={(event) => event.preventDefault()}
            onDrop={(event) => dropped(event, column.status, null)}
            className={cx("flex min-w-44 flex-1 flex-col rounded-lg bg-panel max-sm:flex-none", place?.status === column.status && "outline outline-accent")}
          >
            <h2 className="flex items-center gap-2 px-3 py-2">
              <Status look={lookOfIssue(column.status)} />
              <span className="num text-sm text-faint">{count(column.count)}<span className="sr-only"> issues</span></span>
            </h2>
            {column.cards.length > 0 && (
              <Cards
                column={column} held={moving?.id ?? held} onMore={() => onMore(column.status)}
                card={(card, at) => (
                  <CardView
                    key={card.id} card={card} project={project} at={at} of={column.count} moving={moving?.id === card.id} busy={pending?.id === card.id}
                    onKeyDown={onKeyDown} onAnswer={(asking) => answer(asking.id)}
                    onDragStart={(event) => {
                      hold(card.id);
                      event.dataTransfer.setData(DRAGGED, card.id);
                    }}
                    onDropBefore={(event) => dropped(event, column.status, card)}
                  />
                )}
              />
            )}
          </section>
        ))}
      </div>
      {asking !== undefined && <CardQuestions card={asking} project={project} onClose={() => answer(null)} />}
    </>
  );
}

/** The cards of a column: those in view, and room for the others (W10, W21). */
function Cards({ column, held, onMore, card }: { column: Column; held: string | null; onMore: () => void; card: (card: Card, at: number) => ReactNode }) {
  const { list, first, last, before, after } = useSlice(column.cards, held);
  const atEnd = column.more && column.error === undefined && last === column.cards.length;
  const more = useRef(onMore);
  useEffect(() => {
    more.current = onMore;
  });
  // Asked again when more has come and its end is in view, too.
  useEffect(() => {
    if (atEnd) more.current();
  }, [atEnd, column.cards.length]);
  const problem = column.error === undefined ? null : problemFrom(column.error);
  return (
    <div ref={list} className="min-h-0 flex-1 overflow-y-auto px-2 [overflow-anchor:none]">
      {/* The room is in here: a box is never smaller than its own padding. */}
      <ul aria-label={`Issues in ${wordOf(column.status)}`} style={{ paddingTop: before, paddingBottom: after + GAP }} className="flex flex-col gap-2">
        {column.cards.slice(first, last).map((one, at) => card(one, first + at))}
        {last === column.cards.length && problem !== null && (
          <li className="px-1 text-sm break-words text-bad">
            <p role="alert">The rest could not be loaded: {problem.detail} (<Code code={problem.code} />)</p>
            <Button look="quiet" icon="retry" onClick={onMore}>Retry</Button>
          </li>
        )}
        {atEnd && <li className="shrink-0 rounded-md border border-line px-3 py-3"><span role="status" aria-label="Loading more"><Bar width="70%" /></span></li>}
      </ul>
    </div>
  );
}
