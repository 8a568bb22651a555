import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { checkQuery, type CheckAnswer } from "@/api/queries/proof";
import { count, counted } from "@/format/number";
import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Input } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { Bar, Failed } from "@/ui/states";
import { HUES, lookOfVerdict } from "@/ui/status";
import { useProof } from "../context";
import { Part } from "../panes/Pane";
import { nameOf, reasonInWords, severityLook } from "../words";
import { without } from "../search";

/** May this be merged? And if not, what stands in the way. Whatever is not known is never clear. */
export function CheckPanel() {
  const { project } = useProof();
  const { ref = null } = useSearch({ from: "/shell/p/$key/proof" });
  const query = useQuery(checkQuery(project, ref));
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <Ask key={ref ?? ""} asked={ref} busy={query.isFetching} onAgain={() => void query.refetch()} />
      {query.isPending && (
        <div role="status" aria-label="Checking" className="flex flex-col gap-3 p-4">
          <Bar width="45%" className="h-5" />
          <Bar width="80%" />
          <Bar width="60%" />
        </div>
      )}
      {query.error !== null && <Failed what="Cannot tell whether it may be merged" error={query.error} busy={query.isFetching} onRetry={() => void query.refetch()} />}
      {query.error === null && query.data !== undefined && <Answer answer={query.data} />}
    </div>
  );
}

function Ask({ asked, busy, onAgain }: { asked: string | null; busy: boolean; onAgain: () => void }) {
  const [typed, type] = useState(asked ?? "");
  const navigate = useNavigate({ from: "/p/$key/proof" });
  return (
    <form
      className="flex flex-wrap items-center gap-2 border-b border-line px-4 py-2"
      onSubmit={(event) => {
        event.preventDefault();
        const ref = typed.trim();
        if (ref === (asked ?? "")) onAgain();
        else void navigate({ to: ".", search: (before) => (ref === "" ? without(before, "ref") : { ...without(before, "ref"), ref }), replace: true });
      }}
    >
      <label className="flex min-w-0 flex-1 items-center gap-2">
        <span className="shrink-0 text-soft">May this be merged?</span>
        <Input value={typed} onChange={(event) => type(event.target.value)} placeholder="the checkout, or a branch" aria-label="Branch, tag or commit; the checkout when empty" spellCheck={false} className="h-7 font-mono text-sm" />
      </label>
      <Button type="submit" busy={busy}>Check</Button>
    </form>
  );
}

function Answer({ answer }: { answer: CheckAnswer }) {
  const empty = answer.counts.in_scope === 0;
  const hue = HUES[answer.clear ? "good" : empty ? "neutral" : "bad"];
  const title = answer.clear ? (answer.overridden ? "Clear, by an override" : "Clear to merge") : empty ? "Not clear: nothing is required" : "Not clear";
  return (
    <>
      <div role="status" className={cx("flex items-start gap-2 border-b border-line px-4 py-3", hue.tint)}>
        <Icon name={answer.clear ? "check" : "cross"} size={18} className={cx("mt-0.5", hue.text)} />
        <div className="min-w-0">
          <p className={cx("text-lg font-semibold", hue.text)}>{title}</p>
          <p className="break-words">{visible(answer.message)}</p>
          <p className="num mt-1 text-sm text-soft">
            {count(answer.counts.clear)} of {count(answer.counts.in_scope)} clear
            {answer.counts.waived > 0 && `, ${count(answer.counts.waived)} of them waived`}
            {answer.counts.outside_scope > 0 && `; ${count(answer.counts.outside_scope)} outside of the changes`}
            {answer.tree != null && <>; tree <code title={answer.tree}>{answer.tree.slice(0, 10)}</code></>}
            ; {answer.staleness === "strict" ? "only proof of these very files counts" : "proof of other files counts, with a warning"}
            {answer.enforcement === "warn" && "; not clear only warns"}
          </p>
        </div>
      </div>
      {answer.warnings.length > 0 && (
        <Part title="Warnings">
          <ul className="flex flex-col gap-1">
            {answer.warnings.map((warning, at) => (
              <li key={at} className="flex gap-2 break-words">
                <Icon name="warning" size={14} className="mt-0.5 text-warning" />
                <span className="min-w-0">{visible(warning)}</span>
              </li>
            ))}
          </ul>
        </Part>
      )}
      {answer.blocking.length > 0 && (
        <Part title={`${counted(answer.blocking.length, "requirement")} in the way`}>
          <ul className="-mx-4">
            {answer.blocking.map((one) => (
              <li key={one.requirement} className="relative border-t border-line px-4 py-1.5 outline-offset-[-2px] outline-accent first:border-t-0 hover:bg-panel has-[a:focus-visible]:outline-2">
                <div className="flex items-baseline gap-2">
                  <span className="font-mono text-sm text-soft">{one.requirement}</span>
                  <Link from="/p/$key/proof" to="/p/$key/proof/$req" params={(before) => ({ ...before, req: one.requirement })} search={(before) => without(before, "view")} className="min-w-0 flex-1 truncate outline-none after:absolute after:inset-0">
                    <bdi>{visible(one.title)}</bdi>
                  </Link>
                  <span className={cx("text-sm", severityLook(one.severity).text)}>{severityLook(one.severity).word}</span>
                </div>
                <ul className="text-sm text-soft">
                  {one.gates.map((gate) => {
                    const look = lookOfVerdict(gate.verdict);
                    return (
                      <li key={gate.gate} className="flex items-center gap-1.5">
                        <Icon name={look.icon} size={12} className={HUES[look.hue].text} />
                        <span className="text-ink">{gate.gate}</span> {reasonInWords(gate.reason)}
                      </li>
                    );
                  })}
                </ul>
              </li>
            ))}
          </ul>
        </Part>
      )}
      {answer.waivers.length > 0 && (
        <Part title="Waivers it leaned on">
          <ul className="flex flex-col gap-1.5">
            {answer.waivers.map((waiver) => (
              <li key={waiver.id} className="min-w-0 break-words">
                <span className="font-mono text-sm text-soft">{waiver.requirement}</span> {visible(waiver.reason)}{" "}
                <span className="text-sm text-faint">by {visible(nameOf(waiver.approved_by))}{waiver.expires != null && `, until ${waiver.expires} (UTC)`}</span>
              </li>
            ))}
          </ul>
        </Part>
      )}
    </>
  );
}
