import { memo, type ReactNode } from "react";
import { bytes, count } from "@/format/number";
import { visible } from "@/format/text";
import { cx } from "../classes";
import { styled, type Part } from "./ansi";

/** As many characters of a line are shown. */
const SHOWN = 4_000;

/** What the plane writes where it left something out of an output it keeps. */
const CUT = /^\[\.\.\. (?:(\d+) bytes left out|killed: it printed more than it may) \.\.\.\]$/;

interface LogLineProps {
  /** From 0. */
  line: number;
  /** Null while it is on its way. */
  text: string | null;
  /** Bytes of it that were not read. */
  rest: number;
  gutter: string;
  wrap: boolean;
  /** What is looked for, in lower case. */
  asked: string;
  mark: "" | "linked" | "found";
  truncated: boolean;
  numbered: boolean;
  onPick: ((line: number) => void) | null;
}

/** One line of a log. Its text is foreign: it is shown in its own direction's isolation, and what cannot be seen as codes. */
export const LogLine = memo(function LogLine({ line, text, rest, gutter, wrap, asked, mark, truncated, numbered, onPick }: LogLineProps) {
  const cut = truncated && text !== null ? CUT.exec(text) : null;
  return (
    <div
      data-line={line + 1}
      className={cx("flex min-w-full", wrap ? "w-full" : "h-[18px] w-max overflow-y-clip", mark === "linked" && "bg-accent-tint", mark === "found" && "bg-warning-tint")}
    >
      {numbered && (
        <button
          type="button"
          tabIndex={-1}
          aria-label={`Link to line ${line + 1}`}
          aria-pressed={mark === "linked"}
          disabled={onPick === null}
          onClick={() => onPick?.(line)}
          style={{ width: gutter }}
          className={cx("num sticky left-0 z-1 h-[18px] shrink-0 border-r border-line pr-2 text-right select-none hover:text-ink", mark === "linked" ? "bg-accent-tint text-accent" : "bg-bg text-faint")}
        >
          {line + 1}
        </button>
      )}
      {cut !== null ? (
        <span className="mx-3 my-px flex flex-1 items-center gap-2 bg-warning-tint px-2 text-warning">
          {cut[1] === undefined ? "Killed here: it printed more than it may" : `${bytes(Number(cut[1]))} left out here: the beginning and the end are kept`}
        </span>
      ) : (
        <bdi dir="ltr" className={cx("block min-w-0 flex-1 px-3", wrap ? "break-all whitespace-pre-wrap" : "whitespace-pre")} style={{ tabSize: 8 }}>
          {text === null ? <span aria-hidden="true" className="text-faint">…</span> : <Inked text={text} rest={rest} asked={asked} />}
        </bdi>
      )}
    </div>
  );
});

function Inked({ text: raw, rest, asked }: { text: string; rest: number; asked: string }) {
  const { text, parts } = styled(raw);
  const shown = text.length > SHOWN ? text.slice(0, SHOWN) : text;
  const hidden = text.length - shown.length;
  return (
    <>
      {pieces(shown, parts, asked)}
      {hidden + rest > 0 && (
        <span className="ml-2 bg-well px-1.5 text-soft select-none">
          {rest > 0 ? `${bytes(rest + hidden)} more on this line` : `${count(hidden)} more characters on this line`}; download it to read on
        </span>
      )}
    </>
  );
}

/** The text cut where its style changes or a match begins or ends. */
function pieces(text: string, parts: readonly Part[], asked: string): ReactNode {
  const matches = asked === "" ? [] : matchesOf(text, asked);
  if (parts.length === 0 && matches.length === 0) return visible(text);
  const edges = new Set([0, text.length]);
  for (const { from, to } of [...parts, ...matches]) edges.add(Math.min(from, text.length)).add(Math.min(to, text.length));
  const sorted = [...edges].sort((a, b) => a - b);
  const out: ReactNode[] = [];
  let part = 0;
  let match = 0;
  for (let at = 0; at + 1 < sorted.length; at += 1) {
    const [from, to] = [sorted[at] ?? 0, sorted[at + 1] ?? 0];
    while ((parts[part]?.to ?? Infinity) <= from) part += 1;
    while ((matches[match]?.to ?? Infinity) <= from) match += 1;
    const className = (parts[part]?.from ?? Infinity) <= from ? parts[part]?.className : undefined;
    const piece = visible(text.slice(from, to));
    out.push((matches[match]?.from ?? Infinity) <= from ? <mark key={from} className="bg-accent text-on-accent">{piece}</mark> : <span key={from} className={className}>{piece}</span>);
  }
  return out;
}

function matchesOf(text: string, asked: string): { from: number; to: number }[] {
  const lower = text.toLowerCase();
  const found = [];
  for (let at = lower.indexOf(asked); at >= 0 && found.length < 200; at = lower.indexOf(asked, at + asked.length)) found.push({ from: at, to: at + asked.length });
  return found;
}
