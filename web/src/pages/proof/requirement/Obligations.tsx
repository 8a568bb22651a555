import { Link } from "@tanstack/react-router";
import type { Obligation, Requirement } from "@/api/queries/proof";
import { visible } from "@/format/text";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { StatusMark } from "@/ui/Status";
import { HUES } from "@/ui/status";
import { useProof } from "../context";
import { Part } from "../panes/Pane";
import { lookOfGate, lookOfObligation, reasonInWords } from "../words";

const HOW = { test: "test", suite: "whole suite", review: "review" } as const;

/** What has to be shown for a requirement, by gate, and what it is worth now. */
export function Obligations({ requirement }: { requirement: Requirement }) {
  return (
    <Part title="Gates">
      <ul className="-mx-4">
        {requirement.obligations.map((obligation) => (
          <Row key={obligation.gate} requirement={requirement} obligation={obligation} />
        ))}
      </ul>
    </Part>
  );
}

function Row({ requirement, obligation }: { requirement: Requirement; obligation: Obligation }) {
  const { told, active } = useProof();
  const now = active === null ? undefined : told?.gates.get(`${requirement.id}/${obligation.gate}`);
  const look = now === undefined ? lookOfObligation(obligation) : lookOfGate(now.state);
  const why = now === undefined ? reasonInWords(obligation.reason) : now.message;
  const evidence = now?.evidence ?? obligation.evidence ?? null;
  return (
    <li className="relative flex gap-2.5 border-t border-line px-4 py-2 outline-offset-[-2px] outline-accent first:border-t-0 has-[a:focus-visible]:outline-2 has-[a]:hover:bg-panel">
      <span className="pt-0.5"><StatusMark look={look} /></span>
      <div className="min-w-0 flex-1">
        <div className="flex flex-wrap items-baseline gap-x-2">
          {evidence === null ? (
            <span className="font-semibold">{obligation.gate}</span>
          ) : (
            <Link from="/p/$key/proof" to="." search={(before) => ({ ...before, evidence })} className="font-semibold outline-none after:absolute after:inset-0" aria-label={`${obligation.gate}: evidence`}>
              {obligation.gate}
            </Link>
          )}
          <span className={cx("text-sm", HUES[look.hue].text)}>
            {look.word}
            {why !== "" && look.icon !== "ring" && look.icon !== "waived" && <span className="text-soft">, {visible(why)}</span>}
          </span>
          {obligation.stale && now === undefined && (
            <span className="inline-flex items-center gap-1 text-xs text-warning" title="What it rests on is of other files than the present ones">
              <Icon name="clock" size={12} /> stale
            </span>
          )}
        </div>
        <ul className="text-sm text-soft">
          {obligation.rules.map((rule) => (
            <li key={rule.id} className="flex flex-wrap items-baseline gap-x-2">
              <span className="text-faint">{HOW[rule.how]}</span>
              {rule.test != null && <code className="min-w-0 break-all">{visible(rule.test)}</code>}
              {rule.runner != null && <span>by {visible(rule.runner)}</span>}
              {!rule.must_pass && <span className="text-faint">shown, not judged</span>}
            </li>
          ))}
        </ul>
      </div>
      {evidence !== null && <Icon name="chevronRight" size={13} className="mt-1 text-faint" />}
    </li>
  );
}
