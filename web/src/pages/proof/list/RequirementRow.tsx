import { Link } from "@tanstack/react-router";
import type { Obligation, Requirement } from "@/api/queries/proof";
import { visible } from "@/format/text";
import type { LiveRun } from "@/live/run";
import { cx } from "@/ui/classes";
import { Icon, type IconName } from "@/ui/Icon";
import { Status } from "@/ui/Status";
import { HUES, type Look } from "@/ui/status";
import { useProof } from "../context";
import { lookOfGate, lookOfObligation, lookOfRequirement, reasonInWords, severityLook } from "../words";
import { without } from "../search";

/** The columns of the list; on a phone a row is a card. */
export const GRID = "sm:grid sm:grid-cols-[5.5rem_4.75rem_minmax(0,1.7fr)_minmax(0,1fr)_4.5rem] sm:items-center sm:gap-3";

/** So many gates of a requirement are named in its row. */
const SHOWN = 3;
/** And on a phone, where its severity stands beside them. */
const ON_A_PHONE = 2;

export function RequirementRow({ requirement }: { requirement: Requirement }) {
  const { told, active } = useProof();
  const { id, title, severity } = requirement;
  const worst = severityLook(severity);
  const obligations = requirement.obligations.map((obligation) => ({ obligation, look: lookNow(id, obligation, active === null ? null : told) }));
  const hidden = obligations.slice(SHOWN);
  return (
    <div
      className={cx(
        "h-full border-b border-line px-4 outline-offset-[-2px] outline-accent hover:bg-panel has-[a:focus-visible]:outline-2 has-[a[aria-current]]:bg-accent-tint",
        "max-sm:flex max-sm:flex-wrap max-sm:content-center max-sm:items-center max-sm:gap-x-3 max-sm:gap-y-0.5",
        GRID,
      )}
    >
      <span role="cell" className="flex">
        <Status look={lookOfRequirement(requirement)} />
      </span>
      <span role="cell" className="font-mono text-sm text-soft">{id}</span>
      <span role="cell" className="flex min-w-0 items-center gap-2 max-sm:order-first max-sm:w-full">
        {/* Its area is the whole row. */}
        <Link
          from="/p/$key/proof" to="/p/$key/proof/$req" params={(before) => ({ ...before, req: id })}
          search={(before) => without(before, "view", "evidence")}
          data-requirement={id} activeOptions={{ includeSearch: false }}
          className="min-w-0 truncate outline-none after:absolute after:inset-0"
          title={visible(title)}
        >
          <bdi>{visible(title)}</bdi>
        </Link>
        <Marks requirement={requirement} />
      </span>
      <span role="cell" className="flex min-w-0 items-center gap-1 overflow-hidden max-sm:flex-1 max-sm:basis-0">
        {obligations.slice(0, SHOWN).map(({ obligation, look }, at) => (
          <span key={obligation.gate} className={cx("flex shrink-0", at >= ON_A_PHONE && "max-sm:hidden")}><GateBadge obligation={obligation} look={look} /></span>
        ))}
        {hidden.length === 0 && obligations.length > ON_A_PHONE && <span className="text-xs text-soft sm:hidden">+{obligations.length - ON_A_PHONE}</span>}
        {hidden.length > 0 && (
          <span className={cx("text-xs", HUES[hidden.find(({ look }) => look.hue === "bad")?.look.hue ?? "neutral"].text)} title={hidden.map(({ obligation, look }) => `${obligation.gate}: ${look.word.toLowerCase()}`).join("\n")}>
            <span className="max-sm:hidden">+{hidden.length}</span>
            <span className="sm:hidden">+{obligations.length - ON_A_PHONE}</span>
          </span>
        )}
      </span>
      <span role="cell" className={cx("flex items-center gap-1.5 text-sm max-sm:ml-auto sm:justify-end", worst.text)}>
        <SeverityBars level={worst.level} />
        {worst.word}
      </span>
    </div>
  );
}

/** An obligation's look: while a run judges it, where it stands there. */
function lookNow(requirement: string, obligation: Obligation, told: LiveRun | null): Look {
  const gate = told?.gates.get(`${requirement}/${obligation.gate}`);
  if (gate === undefined || gate.state === "pending") return lookOfObligation(obligation);
  return lookOfGate(gate.state);
}

export function GateBadge({ obligation, look }: { obligation: Obligation; look: Look }) {
  const why = reasonInWords(obligation.reason);
  return (
    <span
      title={`${obligation.gate}: ${look.word.toLowerCase()}${why === "" ? "" : `, ${why}`}${obligation.stale ? "; of other files" : ""}`}
      className={cx("inline-flex h-5 shrink-0 items-center gap-1 rounded-sm px-1 text-xs", HUES[look.hue].tint, HUES[look.hue].text, obligation.stale && "border border-dashed border-current/60")}
    >
      <Icon name={look.icon} size={11} className={look.icon === "running" ? "spin" : ""} />
      {obligation.gate}
      <span className="sr-only"> {look.word}</span>
    </span>
  );
}

const MARKS: readonly (readonly ["stale" | "flaky" | "tampered", IconName, string, string])[] = [
  ["tampered", "broken", "text-bad", "Its evidence is not what was sealed"],
  ["flaky", "flaky", "text-warning", "It passed and failed on the same files"],
  ["stale", "clock", "text-faint", "Its proof is of other files"],
];

/** What a reader must know before trusting the status. */
export function Marks({ requirement, words = false }: { requirement: Requirement; words?: boolean }) {
  return MARKS.map(([name, icon, hue, means]) =>
    requirement[name] ? (
      <span key={name} title={means} className={cx("inline-flex shrink-0 items-center gap-1 text-xs", hue)}>
        <Icon name={icon} size={12} />
        <span className={words ? "" : "@max-5xl:sr-only"}>{name}</span>
      </span>
    ) : null,
  );
}

function SeverityBars({ level }: { level: 1 | 2 | 3 | 4 }) {
  return (
    <svg aria-hidden="true" width="12" height="10" viewBox="0 0 12 10" fill="currentColor">
      {[1, 2, 3, 4].map((at) => (
        <rect key={at} x={(at - 1) * 3} y={10 - at * 2.4} width="2" height={at * 2.4} opacity={at <= level ? 1 : 0.25} />
      ))}
    </svg>
  );
}
