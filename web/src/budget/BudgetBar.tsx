import { dollars } from "@/format/money";
import { cx } from "@/ui/classes";
import { HUES } from "@/ui/status";
import { parts, spentWords, urgency, used, type Standing } from "./standing";

/** What was spent and set aside of a cap: a bar with the words for it. What nobody knows is hatched, what is set aside pale. */
export function BudgetBar({ standing, of, className }: { standing: Standing; of: string; className?: string }) {
  const { cap, reserved } = standing;
  const { hue, words } = urgency(standing);
  const part = parts(standing);
  const spent = `${spentWords(standing)} spent${reserved > 0 ? `, ${dollars(reserved)} reserved` : ""}`;
  const whole = cap === null ? "no cap" : cap === 0 ? "nothing may be spent" : `of ${dollars(cap)}`;
  return (
    <span className={cx("flex min-w-0 flex-wrap items-center gap-x-2", className)}>
      {cap !== null && (
        <span
          role="progressbar" aria-label={`Budget of ${of}`} aria-valuemin={0} aria-valuemax={Math.max(cap, used(standing), 1)} aria-valuenow={used(standing)}
          aria-valuetext={`${spent} ${whole}${words === "" ? "" : `; ${words}`}`}
          className="flex h-1.5 w-32 shrink-0 overflow-hidden rounded-full bg-well"
        >
          <span className={cx(HUES[hue].solid, "transition-[width]")} style={{ width: `${part.known}%` }} />
          <span className={cx(HUES[hue].text, "hatched transition-[width]")} style={{ width: `${part.held}%` }} />
          <span className={cx(HUES[hue].solid, "opacity-40 transition-[width]")} style={{ width: `${part.reserved}%` }} />
        </span>
      )}
      <span className="num">
        <span className="text-ink">{spent}</span> {cap === null || cap === 0 ? <span className="text-soft">({whole})</span> : whole}
        {words !== "" && cap !== 0 && <span className={cx("ml-1", hue === "running" ? "text-faint" : HUES[hue].text)}>({words})</span>}
      </span>
    </span>
  );
}
