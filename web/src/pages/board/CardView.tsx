import { Link } from "@tanstack/react-router";
import type { DragEvent, KeyboardEvent } from "react";
import type { Card } from "@/api/queries/issues";
import { money, tokens } from "@/format/money";
import { counted } from "@/format/number";
import { visible } from "@/format/text";
import { lookOfWork } from "@/pages/run/dispatch/words";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { Progress } from "@/ui/Progress";
import { Status } from "@/ui/Status";
import { isTerminal } from "@/ui/status";
import { lookOfAttention, lookOfGates } from "./words";

interface CardViewProps {
  card: Card;
  project: string;
  /** It is being moved by keys. */
  moving: boolean;
  /** A move of it is on its way. */
  busy: boolean;
  /** Its place among all of its column, for readers: not all of them are in the document. */
  at: number;
  of: number;
  /** Opens what it asks. */
  onAnswer: (card: Card) => void;
  onKeyDown: (event: KeyboardEvent<HTMLElement>, card: Card) => void;
  onDragStart: (event: DragEvent<HTMLElement>, card: Card) => void;
  onDropBefore: (event: DragEvent<HTMLElement>, card: Card) => void;
}

/** A card: its link is the whole of it. */
export function CardView({ card, project, moving, busy, at, of, onAnswer, onKeyDown, onDragStart, onDropBefore }: CardViewProps) {
  const attention = lookOfAttention(card.attention);
  const gates = lookOfGates(card.gates);
  const run = card.run ?? null;
  return (
    <li
      draggable
      data-item={card.id}
      onDragStart={(event) => onDragStart(event, card)}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => onDropBefore(event, card)}
      aria-busy={busy || undefined}
      aria-posinset={at + 1}
      aria-setsize={of}
      className={cx(
        "relative flex shrink-0 flex-col gap-1.5 rounded-md border bg-bg px-3 py-2 outline-offset-1 outline-accent hover:border-line-strong has-[a:focus-visible]:outline-2",
        moving ? "border-accent bg-accent-tint" : "border-line",
        busy && "opacity-60",
      )}
    >
      <span className="flex items-center gap-2 text-sm text-soft">
        <span className="num font-mono">#{card.number}</span>
        <span>{card.kind}</span>
        {card.priority !== "medium" && <span className={card.priority === "urgent" ? "font-medium text-bad" : card.priority === "high" ? "text-warning" : ""}>{card.priority}</span>}
        {card.blocked && (
          <span className="flex items-center gap-1 text-warning">
            <Icon name="stop" size={12} /> blocked
          </span>
        )}
      </span>
      <Link
        to="/p/$key/issues/$number"
        params={{ key: project, number: String(card.number) }}
        draggable={false}
        data-card={card.id}
        onKeyDown={(event) => onKeyDown(event, card)}
        className="font-medium break-words outline-none after:absolute after:inset-0"
      >
        {visible(card.title)}
      </Link>
      {card.labels.length > 0 && (
        <span className="flex flex-wrap gap-1 text-sm text-soft">
          {card.labels.map((label) => (
            <span key={label} className="max-w-full truncate rounded-sm bg-well px-1.5">{visible(label)}</span>
          ))}
        </span>
      )}
      {run !== null && (
        <span className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm">
          <Status look={lookOfWork(run.status, run.verdict)} />
          <span className="text-soft">{run.kind}{!isTerminal(run.status) && `, ${visible(run.phase)}`}</span>
          {!isTerminal(run.status) && <Progress {...run.progress} hue="running" going of="steps" />}
          {run.cost != null && <span className="num text-soft">{money(run.cost)}</span>}
          {run.usage != null && <span className="num text-faint">{tokens(run.usage)}</span>}
          {run.simulated && <span className="rounded-sm bg-warning-tint px-1 text-warning">simulated</span>}
        </span>
      )}
      <span className="flex flex-wrap items-center gap-x-3 gap-y-0.5 text-sm text-soft empty:hidden">
        {card.open_questions > 0 ? (
          // Over the link, which is the whole card.
          <button
            type="button" onClick={() => onAnswer(card)}
            className="num relative z-1 flex h-6 items-center gap-1 rounded-md border border-warning/40 bg-warning-tint px-2 font-medium text-warning hover:border-warning max-sm:h-9"
          >
            <Icon name="question" size={13} />
            Answer {counted(card.open_questions, "question")}<span className="sr-only"> of #{card.number}</span>
          </button>
        ) : attention !== null && <Status look={attention} />}
        {gates !== null && <Status look={gates} />}
        {card.children.total > 0 && <span className="num">{card.children.done}/{card.children.total} parts</span>}
        {card.comments > 0 && <span className="num">{card.comments} said</span>}
        {card.execution !== "manual" && <span className="truncate">{visible(card.execution)}</span>}
        {typeof card.assignee === "string" && <span className="truncate">{visible(card.assignee)}</span>}
      </span>
    </li>
  );
}
