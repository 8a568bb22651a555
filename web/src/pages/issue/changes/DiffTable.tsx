import { useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { count } from "@/format/number";
import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { pairsOf, type DiffLine, type FileDiff } from "./diff";

/** A line on one of the two sides. */
export interface Place {
  side: "before" | "after";
  line: number;
}

/** Lines that are shown at first, and more with each step: a file of any size costs no more. */
const STEP = 800;
/** As much of a line is shown; the whole is in the patch. */
const WIDE = 2_000;

interface DiffTableProps {
  file: FileDiff;
  split: boolean;
  /** What stands below a line: comments, and the form for one. */
  below: (place: Place) => ReactNode;
  /** A person wants to say something on a line. */
  onComment: (place: Place, text: string) => void;
}

function placeOf(line: DiffLine): Place {
  return line.after === null ? { side: "before", line: line.before ?? 1 } : { side: "after", line: line.after };
}

/** The lines of a file that differ. Arrow keys go from line to line, `c` says something on one. */
export function DiffTable({ file, split, below, onComment }: DiffTableProps) {
  const [shown, show] = useState(STEP);
  const [at, go] = useState(0);
  const table = useRef<HTMLTableElement>(null);
  let left = shown;
  const hunks = file.hunks.map((hunk) => {
    const lines = hunk.lines.slice(0, Math.max(0, left));
    left -= lines.length;
    return { head: hunk.head, lines };
  }).filter((hunk) => hunk.lines.length > 0);
  const total = file.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.target instanceof HTMLTableRowElement)) return;
    const step = event.key === "ArrowDown" || event.key === "j" ? 1 : event.key === "ArrowUp" || event.key === "k" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const rows = [...(table.current?.querySelectorAll<HTMLTableRowElement>("tr[data-line]") ?? [])];
    const next = Math.min(rows.length - 1, Math.max(0, rows.indexOf(event.target) + step));
    rows[next]?.focus();
    go(Number(rows[next]?.dataset.line ?? 0));
  };
  let number = -1;
  const row = (main: DiffLine, cells: ReactNode, also: DiffLine | null) => {
    number += 1;
    const mine = number;
    const place = placeOf(main);
    const other = also === null ? null : placeOf(also);
    const under = [below(place), other !== null && (other.side !== place.side || other.line !== place.line) ? below(other) : null];
    return [
      <tr
        key={`l${mine}`} data-line={mine} tabIndex={mine === at ? 0 : -1}
        onFocus={() => go(mine)}
        onKeyDown={(event) => {
          if (event.key !== "c" || event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return;
          event.preventDefault();
          event.stopPropagation();
          onComment(place, main.text);
        }}
        className="group outline-offset-[-2px] outline-accent focus-visible:outline-2"
      >
        {cells}
      </tr>,
      ...(under.every((one) => one === null) ? [] : [<tr key={`c${mine}`}><td colSpan={split ? 4 : 3} className="border-y border-line bg-bg px-3 py-2 font-sans whitespace-normal">{under}</td></tr>]),
    ];
  };
  const button = (line: DiffLine | null, side: Place["side"]) => {
    const value = side === "before" ? line?.before : line?.after;
    if (line === null || value == null) return <td className="bg-panel" />;
    return (
      <td className="num w-12 bg-panel text-right align-top text-faint select-none">
        <button type="button" tabIndex={-1} aria-label={`Comment on line ${value}${side === "before" ? " as it was" : ""}`} onClick={() => onComment({ side, line: value }, line.text)} className="w-full px-1.5 text-right hover:bg-accent-tint hover:text-accent">
          {value}
        </button>
      </td>
    );
  };
  return (
    <div className="overflow-x-auto rounded-md border border-line">
      <table ref={table} onKeyDown={onKeyDown} className="w-full border-collapse font-mono text-sm leading-5">
        <caption className="sr-only">How {visible(file.path)} differs. Arrow keys go from line to line, c comments on one.</caption>
        <tbody>
          {hunks.map((hunk, index) => [
            <tr key={`h${index}`} className="bg-well text-soft"><td colSpan={split ? 4 : 3} className="px-2 break-all whitespace-pre-wrap">{visible(hunk.head)}</td></tr>,
            ...(split
              ? pairsOf(hunk.lines).flatMap((pair) => {
                  const main = pair.right ?? pair.left;
                  if (main === null) return [];
                  return row(main, <>{button(pair.left, "before")}<Text line={pair.left} half />{button(pair.right, "after")}<Text line={pair.right} half /></>, pair.left);
                })
              : hunk.lines.flatMap((line) => row(line, <>{button(line, "before")}{button(line, "after")}<Text line={line} /></>, line.kind === " " ? { ...line, after: null } : null))),
          ])}
        </tbody>
      </table>
      {shown < total && (
        <div className="border-t border-line p-2"><Button onClick={() => show((now) => now + 4 * STEP)}>Show more of {count(total)} lines</Button></div>
      )}
    </div>
  );
}

const SIGNS = { "+": "added", "-": "removed", " ": "" } as const;

function Text({ line, half = false }: { line: DiffLine | null; half?: boolean }) {
  if (line === null) return <td className={cx("bg-panel", half && "w-1/2")} />;
  const text = line.text.length > WIDE ? `${line.text.slice(0, WIDE)}…` : line.text;
  return (
    <td className={cx("px-2 align-top break-all whitespace-pre-wrap", half && "w-1/2", line.kind === "+" ? "bg-good-tint" : line.kind === "-" ? "bg-bad-tint" : "")}>
      <span aria-hidden="true" className="inline-block w-3 text-soft select-none">{line.kind}</span>
      {line.kind !== " " && <span className="sr-only">{SIGNS[line.kind]} </span>}
      <bdi dir="ltr">{visible(text)}</bdi>
      {line.text.length > WIDE && <span className="text-faint"> {count(line.text.length)} characters</span>}
      {line.open === true && <span className="text-faint"> no line break at the end</span>}
    </td>
  );
}
