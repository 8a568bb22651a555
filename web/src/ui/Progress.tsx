import { count } from "@/format/number";
import { cx } from "./classes";
import { HUES, type Hue } from "./status";

interface ProgressProps {
  total: number;
  done: number;
  failed: number;
  hue: Hue;
  going: boolean;
  /** What is counted. */
  of?: string;
}

/** Counted work: a thin bar, and the numbers. */
export function Progress({ total, done, failed, hue, going, of = "gates" }: ProgressProps) {
  if (total === 0) return <span className="text-sm text-faint">{going ? "" : "nothing to do"}</span>;
  const part = (number: number) => `${(100 * Math.min(number, total)) / total}%`;
  return (
    <span className="flex w-full items-center gap-2">
      <span
        role="progressbar"
        aria-label={`${count(done)} of ${count(total)} ${of}${failed > 0 ? `, ${count(failed)} failed` : ""}`}
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={done}
        className="flex h-1 min-w-10 flex-1 overflow-hidden rounded-full bg-well"
      >
        <span className={cx(HUES[going ? "running" : hue].solid, "transition-[width]")} style={{ width: part(done - failed) }} />
        <span className={HUES.bad.solid} style={{ width: part(failed) }} />
      </span>
      <span className="num shrink-0 text-sm text-soft">
        {count(done)}/{count(total)}
        {failed > 0 && <span className="text-bad"> {count(failed)} failed</span>}
      </span>
    </span>
  );
}
