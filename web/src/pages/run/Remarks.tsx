import { Link } from "@tanstack/react-router";
import { counted } from "@/format/number";
import { visible } from "@/format/text";
import { clock } from "@/format/time";
import type { Remark } from "@/live/remarks";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";

type Said = Pick<Remark, "level" | "words"> & { seq: number | null; at: number | null };

/** What a run remarks beside its results: one is shown, several open on demand. */
export function Remarks({ run, project, remarks: told, notes: read }: { run: string; project: string; remarks: readonly Remark[]; notes: readonly string[] }) {
  // A note that the run keeps is in its journal, too, or was made before that began.
  const said = new Set(told.map((remark) => remark.words));
  const remarks = [...told, ...read.filter((note) => !said.has(note)).map((words): Said => ({ seq: null, at: null, level: "info", words }))];
  const serious = remarks.filter((remark) => remark.level === "warning" || remark.level === "error").length;
  if (remarks.length === 0) return null;
  const notes = remarks.length - serious;
  const words = [serious > 0 && counted(serious, "warning"), notes > 0 && counted(notes, "note")].filter((word) => word !== false).join(", ");
  return (
    <details className="group" open={remarks.length === 1}>
      <summary className="flex w-fit items-center gap-1.5 text-soft hover:text-ink">
        <Icon name="chevronRight" size={12} className="group-open:rotate-90" />
        <span className={cx(serious > 0 && "text-warning")}>{words}</span>
      </summary>
      <ul className="max-h-40 overflow-y-auto pt-1 pl-4.5">
        {remarks.map((remark) => (
          <li key={remark.seq ?? remark.words} className="flex items-baseline gap-2">
            {remark.seq !== null && remark.at !== null && (
              <Link to="/p/$key/runs/$run" params={{ key: project, run }} search={{ view: "journal", entry: remark.seq }} className="num shrink-0 font-mono text-sm text-faint underline underline-offset-2">
                {clock(remark.at)}
              </Link>
            )}
            <span className={cx("min-w-0 break-words", remark.level === "error" ? "text-bad" : remark.level === "warning" ? "text-warning" : "text-soft")}>{visible(remark.words)}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
