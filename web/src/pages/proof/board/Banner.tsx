import type { Run } from "@/api/queries/runs";
import { count, counted } from "@/format/number";
import { visible } from "@/format/text";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { Code } from "@/ui/states";
import { HUES, lookOfRun } from "@/ui/status";

/**
 * How a run ended, in the words of the run: those its journal `said`, until the run `isRead` again after
 * its end. What was read before the end says nothing about it.
 */
export function Banner({ run, said, isRead }: { run: Run; said: string; isRead: boolean }) {
  const proof = isRead ? (run.proof ?? null) : null;
  const isEmpty = proof?.empty_reason != null;
  const look = lookOfRun(run.status, run.verdict);
  const hue = HUES[isEmpty ? "neutral" : look.hue];
  const message = run.failure?.message ?? proof?.message ?? said;
  const title = run.failure != null ? "The run could not do its work" : isEmpty ? "Nothing was proven" : run.status === "cancelled" ? "Cancelled" : look.word;
  const facts = [
    ...(proof !== null && proof.executed > 0 ? [`${counted(proof.executed, "command or review", "commands and reviews")} executed`] : []),
    ...(proof !== null && proof.counts.waived > 0 ? [`${count(proof.counts.waived)} waived, not counted`] : []),
    ...(proof?.dirty === true ? ["uncommitted changes included"] : []),
    ...(proof?.settles === false ? ["on another branch: it settles nothing here"] : []),
  ];
  return (
    <div className={cx("flex items-start gap-2 rounded-md px-3 py-2", hue.tint)}>
      <Icon name={isEmpty ? "dash" : look.icon} className={cx("mt-0.5", hue.text)} />
      <div className="min-w-0">
        <p className="break-words">
          <span className={cx("font-semibold", hue.text)}>{title}</span>
          {message !== "" && <> {visible(message)}</>}
          {run.failure != null && <> <Code code={run.failure.code} /></>}
        </p>
        {run.failure?.hint !== undefined && run.failure.hint !== "" && <p className="text-soft">{visible(run.failure.hint)}</p>}
        {facts.length > 0 && <p className="num text-sm text-soft">{facts.join("; ")}</p>}
      </div>
    </div>
  );
}
