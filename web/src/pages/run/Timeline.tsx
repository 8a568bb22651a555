import { useEffect, useMemo, useRef, useState } from "react";
import { visible } from "@/format/text";
import type { LiveRun } from "@/live/run";
import { rowsOf, type TreeRow } from "@/live/spans";
import { cx } from "@/ui/classes";
import { useNow } from "@/ui/clock";
import { Icon } from "@/ui/Icon";
import { Empty, SkeletonRows } from "@/ui/states";
import { HUES } from "@/ui/status";
import { StatusMark } from "@/ui/Status";
import { VirtualRows, type RowsHandle } from "@/ui/VirtualRows";
import { duration } from "@/format/time";
import { toggled } from "@/ui/toggled";
import { axisOf, type Axis } from "./axis";
import { lookOfSpan } from "./look";

const GRID = "grid grid-cols-[minmax(10rem,38%)_minmax(0,1fr)] max-sm:grid-cols-1 items-center gap-3";

interface TimelineProps {
  told: LiveRun | null;
  chosen: string | undefined;
  following: boolean;
  onChoose: (span: string) => void;
}

/** The parts of a run as a tree, and when each of them was, on one axis. */
export function Timeline({ told, chosen, following, onChoose }: TimelineProps) {
  const [folded, fold] = useState<ReadonlySet<string>>(new Set());
  const spans = told?.spans;
  const rows = useMemo(() => (spans === undefined ? [] : rowsOf(spans, folded)), [spans, folded]);
  const going = told?.finishedAt == null;
  const now = useNow();
  const list = useRef<RowsHandle>(null);
  const place = chosen === undefined ? -1 : rows.findIndex((row) => row.span.id === chosen);
  const known = place >= 0;
  // Where one follows, and where one came by a link, the chosen part is in view.
  useEffect(() => {
    if (known) list.current?.show(place);
  }, [known, following, chosen, place]);
  if (told === null || told.seq === 0) return <SkeletonRows rows={6} columns={["30%", "45%"]} label="Loading the timeline" />;
  if (rows.length === 0) {
    return <Empty icon="runs" title="Nothing has begun"><p>Commands and gates show here as they begin.</p></Empty>;
  }
  const axis = axisOf(rows.map((row) => row.span), going ? now : null);
  return (
    <VirtualRows
      ref={list}
      label="Timeline"
      count={rows.length}
      height={28}
      columns={2}
      keyOf={(at) => rows[at]?.span.id ?? at}
      head={
        <div role="row" aria-rowindex={1} className={cx("h-7 border-b border-line px-4 text-sm text-faint max-sm:hidden", GRID)}>
          <span role="columnheader">Part</span>
          <span role="columnheader" className="relative h-full">
            <span className="sr-only">When</span>
            {axis.ticks.map((tick) => (
              <span key={tick.at} aria-hidden="true" className="num absolute top-1 pl-1 whitespace-nowrap" style={{ left: `${tick.at}%` }}>
                {tick.at < 94 && tick.label}
              </span>
            ))}
          </span>
        </div>
      }
      row={(at) => {
        const row = rows[at];
        if (row === undefined) return null;
        const open = !folded.has(row.span.id);
        const onFold = () => fold((before) => toggled(before, row.span.id));
        return <Row row={row} title={row.span.family === "gate" ? (told.gates.get(row.span.label.replace(" ", "/"))?.title ?? "") : ""} open={open} chosen={row.span.id === chosen} axis={axis} now={now} onFold={onFold} onChoose={() => onChoose(row.span.id)} />;
      }}
    />
  );
}

interface RowProps {
  row: TreeRow;
  /** What its requirement is called, where it is a gate. */
  title: string;
  open: boolean;
  chosen: boolean;
  axis: Axis;
  now: number;
  onFold: () => void;
  onChoose: () => void;
}

function Row({ row: { span, depth, children }, title, open, chosen, axis, now, onFold, onChoose }: RowProps) {
  const to = span.to ?? Math.max(now, span.from);
  const left = axis.place(span.from);
  const width = Math.max(0.3, axis.place(to) - left);
  return (
    <div className={cx("relative h-full px-4", chosen ? "bg-accent-tint" : "has-[button:focus-visible]:bg-panel hover:bg-panel", GRID)}>
      <div role="cell" className="flex min-w-0 items-center gap-1.5" style={{ paddingLeft: depth * 16 }}>
        {children > 0 ? (
          <button type="button" aria-expanded={open} aria-label={open ? "Fold" : "Unfold"} onClick={onFold} className="relative z-1 -ml-1 flex size-5 items-center justify-center rounded-sm text-faint hover:text-ink">
            <Icon name={open ? "chevronDown" : "chevronRight"} size={12} />
          </button>
        ) : (
          <span className="w-4 shrink-0" />
        )}
        <StatusMark look={lookOfSpan(span)} />
        <button
          type="button"
          aria-pressed={chosen}
          onClick={onChoose}
          className={cx("min-w-0 truncate text-left after:absolute after:inset-0", span.family === "command" && "font-mono text-sm", title !== "" && "shrink-0")}
        >
          {visible(span.label)}
        </button>
        {title !== "" && <span className="min-w-0 truncate text-sm text-faint" title={visible(title)}><bdi>{visible(title)}</bdi></span>}
        <span className="num ml-auto shrink-0 pl-2 text-sm text-faint">{duration(to - span.from)}</span>
      </div>
      <div role="cell" className="relative h-full max-sm:hidden">
        {axis.ticks.map((tick) => (
          <span key={tick.at} aria-hidden="true" className="absolute inset-y-0 w-px bg-line" style={{ left: `${tick.at}%` }} />
        ))}
        <span
          aria-hidden="true"
          className={cx("absolute top-2 h-3 min-w-[3px] rounded-sm", HUES[span.hue].solid, span.family === "run" ? "opacity-30" : "opacity-80", span.to === null && "pulse")}
          style={{ left: `${left}%`, width: `${width}%` }}
        />
      </div>
    </div>
  );
}
