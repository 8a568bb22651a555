import { memo } from "react";
import { visible } from "@/format/text";
import { absolute, clockExact } from "@/format/time";
import type { Entry } from "@/live/protocol";
import { cx } from "@/ui/classes";
import { Bar } from "@/ui/states";
import { summary } from "./summary";

export const COLUMNS = "grid grid-cols-[3.25rem_6.25rem_4rem_10.5rem_minmax(0,1fr)] max-sm:grid-cols-[3.25rem_minmax(0,1fr)_auto] items-center gap-x-3 pr-4 pl-2";

const LEVELS: Record<Entry["level"], string> = { debug: "text-faint", info: "text-soft", warning: "text-warning font-medium", error: "text-bad font-medium" };

interface JournalRowProps {
  seq: number;
  /** Null while it is on its way. */
  entry: Entry | null;
  chosen: boolean;
  onChoose: (seq: number) => void;
}

/** A row that did not change is not made again while one scrolls. */
export const JournalRow = memo(function JournalRow({ seq, entry, chosen, onChoose }: JournalRowProps) {
  const at = entry === null ? null : Date.parse(entry.at);
  return (
    <div className={cx("relative h-full border-b border-line/60 text-sm", chosen ? "bg-accent-tint" : "has-[button:focus-visible]:bg-panel hover:bg-panel", COLUMNS)}>
      <span role="cell" className="text-right">
        <button
          type="button"
          aria-pressed={chosen}
          aria-label={`Entry ${seq}`}
          onClick={() => onChoose(seq)}
          className={cx("num font-mono after:absolute after:inset-0", chosen ? "text-accent" : "text-faint")}
        >
          {seq}
        </button>
      </span>
      <span role="cell" className="num font-mono text-faint max-sm:order-3" title={at === null ? undefined : absolute(at)}>
        {at === null ? <Bar width="5rem" /> : clockExact(at)}
      </span>
      <span role="cell" className={cx("max-sm:sr-only", entry !== null && LEVELS[entry.level])}>{entry?.level}</span>
      <span role="cell" className={cx("truncate font-mono", entry !== null && (entry.level === "error" || entry.level === "warning") && LEVELS[entry.level])}>{entry !== null && visible(entry.kind)}</span>
      <span role="cell" className="truncate font-mono text-soft max-sm:sr-only">
        {entry === null ? <Bar width="40%" /> : <bdi dir="ltr">{visible(summary(entry.data))}</bdi>}
      </span>
    </div>
  );
});
