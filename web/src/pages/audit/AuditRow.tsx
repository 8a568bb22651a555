import { cx } from "@/ui/classes";
import type { Entry } from "@/live/protocol";
import { Ago } from "@/ui/Time";
import { aboutOf, didOf, whoOf, whyOf } from "./words";

export const COLUMNS = ["When", "Who", "What", "Why"] as const;
export const GRID = "grid grid-cols-[7rem_9rem_minmax(0,1fr)_minmax(0,2fr)] items-center gap-x-3 px-4 max-sm:grid-cols-[minmax(0,1fr)_auto]";

/** One thing that somebody did. */
export function AuditRow({ entry, chosen, onChoose }: { entry: Entry; chosen: boolean; onChoose: (seq: number) => void }) {
  const about = aboutOf(entry);
  const why = whyOf(entry);
  return (
    <div className={cx("relative h-full border-b border-line", chosen ? "bg-accent-tint" : "hover:bg-panel has-[button:focus-visible]:bg-panel", GRID)}>
      <span role="cell" className="text-sm whitespace-nowrap text-faint max-sm:order-2"><Ago at={entry.at} /></span>
      <span role="cell" className="truncate font-medium max-sm:order-1"><bdi>{whoOf(entry.data)}</bdi></span>
      <span role="cell" className="min-w-0 truncate max-sm:order-3">
        <button type="button" aria-pressed={chosen} aria-label={`Entry ${entry.seq}: ${whoOf(entry.data)} ${didOf(entry.kind)} ${about}`} onClick={() => onChoose(entry.seq)} className="after:absolute after:inset-0">
          {didOf(entry.kind)} <bdi className="font-mono text-sm">{about}</bdi>
        </button>
      </span>
      <span role="cell" title={why} className="truncate text-soft max-sm:sr-only"><bdi>{why}</bdi></span>
    </div>
  );
}
