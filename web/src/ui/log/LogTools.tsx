import type { ReactNode } from "react";
import { bytes, count } from "@/format/number";
import { IconButton } from "../Button";
import { cx } from "../classes";
import { Copy } from "../Copy";
import { Icon } from "../Icon";
import type { LogReader } from "./reader";
import { MOST_FOUND } from "./search";
import type { LogSearch } from "./useLogSearch";

interface LogToolsProps {
  reader: LogReader;
  url: string | null;
  name: string;
  live: boolean;
  wrap: boolean;
  onWrap: (wrap: boolean) => void;
  find: LogSearch;
  following: boolean;
  onFollow: (follow: boolean) => void;
  onEdge: (end: boolean) => void;
}

/** As much as a clipboard is good for. */
const COPIED = 4_000_000;

/** What one does with a log. */
export function LogTools({ reader, url, name, live, wrap, onWrap, find, following, onFollow, onEdge }: LogToolsProps) {
  const size = reader.size ?? 0;
  const lines = reader.index.count;
  return (
    <div role="toolbar" aria-label="Text" className="flex shrink-0 flex-wrap items-center gap-x-2 gap-y-1 border-b border-line px-2 py-1">
      <div className="flex h-7 min-w-0 items-center rounded-md border border-line-strong/60 pl-2 max-sm:h-9 max-sm:basis-full">
        <Icon name="search" size={14} className="shrink-0 text-faint" />
        <input
          aria-label="Search the text"
          placeholder="Search"
          spellCheck={false}
          autoComplete="off"
          value={find.asked}
          onChange={(event) => find.ask(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") find.step(event.shiftKey ? -1 : 1);
            if (event.key === "Escape" && find.asked !== "") {
              event.preventDefault();
              find.ask("");
            }
          }}
          className="h-full w-44 min-w-0 bg-transparent px-1.5 outline-none max-sm:w-full"
        />
        {find.asked !== "" && (
          <span role="status" className={cx("num px-1.5 text-sm whitespace-nowrap", find.done && find.lines.length === 0 ? "text-bad" : "text-soft")}>
            {find.lines.length === 0 ? (find.done ? "not found" : "…") : `${find.at === null ? "" : `${count(find.at + 1)}/`}${count(find.lines.length)}${find.lines.length >= MOST_FOUND ? "+" : find.done ? "" : "…"}`}
          </span>
        )}
        <IconButton icon="arrowUp" label="Match before (Shift Enter)" onClick={() => find.step(-1)} className="size-6! max-sm:size-8!" />
        <IconButton icon="arrowDown" label="Next match (Enter)" onClick={() => find.step(1)} className="size-6! max-sm:size-8!" />
      </div>
      <Toggle on={wrap} onClick={() => onWrap(!wrap)}>Wrap</Toggle>
      {live ? (
        <IconButton icon="bottom" label="Keep the end in view" aria-pressed={following} onClick={() => onFollow(!following)} className={following ? "bg-accent-tint! text-accent!" : ""} />
      ) : (
        <span className="flex">
          <IconButton icon="top" label="To the beginning" onClick={() => onEdge(false)} />
          <IconButton icon="bottom" label="To the end" onClick={() => onEdge(true)} />
        </span>
      )}
      <span className="num ml-auto text-sm whitespace-nowrap text-faint">
        {!reader.isWhole && reader.size !== null ? `reading, ${bytes(reader.index.scanned)} of ${bytes(size)}` : lines > 0 && `${count(lines)} ${lines === 1 ? "line" : "lines"}, ${bytes(size)}`}
      </span>
      <span className="flex">
        <CopyAll reader={reader} size={size} lines={lines} />
        {url !== null && (
          <a href={url} download={name} aria-label="Download" title="Download" className="inline-flex size-7 items-center justify-center rounded-md text-soft hover:bg-well hover:text-ink max-sm:size-9">
            <Icon name="download" />
          </a>
        )}
      </span>
    </div>
  );
}

function CopyAll({ reader, size, lines }: { reader: LogReader; size: number; lines: number }) {
  if (lines === 0) return null;
  if (size > COPIED || !reader.isWhole) {
    return <IconButton icon="copy" aria-disabled className="cursor-not-allowed opacity-55" label={reader.isWhole ? `It is ${bytes(size)}: download it instead` : "It is still being read"} />;
  }
  return <Copy text={() => reader.text(0, lines)} label="Copy all of it" />;
}

function Toggle({ on, onClick, children }: { on: boolean; onClick: () => void; children: ReactNode }) {
  return (
    <button
      type="button"
      aria-pressed={on}
      onClick={onClick}
      className={cx("flex h-7 items-center gap-1 rounded-md border px-2 max-sm:h-9", on ? "border-accent bg-accent-tint text-accent" : "border-line-strong/60 text-soft hover:bg-well hover:text-ink")}
    >
      {children}
    </button>
  );
}
