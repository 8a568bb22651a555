import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { checkQuery, type ProofStatus } from "@/api/queries/proof";
import { count } from "@/format/number";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { useMedia } from "@/ui/media";
import { Bar } from "@/ui/states";
import { HUES, type Hue } from "@/ui/status";
import { useProof } from "../context";
import { lookOfStanding } from "../words";
import { RunButton } from "./RunButton";

/** Where the project stands, and what can be done. */
export function ProofHead({ status, compact }: { status: ProofStatus | undefined; compact: boolean }) {
  const { readOnly, openCapture } = useProof();
  const phone = useMedia("(width < 40rem)");
  // On a phone what is looked at takes the page.
  if (compact && phone) return <h1 className="sr-only">Proof</h1>;
  return (
    <header className="flex shrink-0 flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-2">
      <h1 className="text-lg font-semibold">Proof</h1>
      <Counts status={status} />
      <MergeBadge />
      <div className="ml-auto flex gap-2">
        <Button icon="plus" blocked={readOnly} onClick={openCapture} aria-keyshortcuts="c">
          <span>Capture<span className="max-sm:hidden"> a glitch</span></span>
        </Button>
        <RunButton />
      </div>
    </header>
  );
}

const MARKS = [["stale", "clock", "rest on proof of other files"], ["flaky", "flaky", "passed and failed on the same files"], ["tampered", "broken", "rest on evidence that is not what was sealed"]] as const;

function Counts({ status }: { status: ProofStatus | undefined }) {
  if (status === undefined) return <Bar width="14rem" />;
  const { by_status } = status;
  return (
    <dl className="num flex flex-wrap items-center gap-x-3 gap-y-0.5 text-soft">
      {(["satisfied", "open", "waived"] as const).map((name) => {
        const look = lookOfStanding(name);
        const number = by_status[name];
        return (
          <div key={name} className="flex items-center gap-1">
            <Icon name={look.icon} size={13} className={number === 0 ? "text-faint" : HUES[name === "open" ? "warning" : look.hue].text} />
            <dd className={cx("order-1", number > 0 && "font-medium text-ink")}>{count(number)}</dd>
            <dt className="order-2">{name}</dt>
          </div>
        );
      })}
      {MARKS.map(([name, icon, means]) =>
        status[name] === 0 ? null : (
          <div key={name} className={cx("flex items-center gap-1", name === "tampered" ? "text-bad" : "text-warning")} title={`${count(status[name])} ${means}`}>
            <Icon name={icon} size={13} />
            <dd className="order-1">{count(status[name])}</dd>
            <dt className="order-2">{name}</dt>
          </div>
        ),
      )}
    </dl>
  );
}

/** May this be merged? Never clear while it is not known. */
function MergeBadge() {
  const { project } = useProof();
  const { data, error, isPending } = useQuery(checkQuery(project, null));
  const [hue, icon, word]: [Hue, "check" | "cross" | "question" | "queued", string] =
    error !== null ? ["warning", "question", "Cannot tell"]
    : isPending ? ["neutral", "queued", "Checking"]
    : data.clear ? ["good", "check", data.overridden ? "Clear, overridden" : "Clear"]
    : data.counts.in_scope === 0 ? ["neutral", "cross", "Nothing required"]
    : ["bad", "cross", `${count(data.counts.blocking)} in the way`];
  return (
    <Link
      from="/p/$key/proof" to="." search={(before) => ({ ...before, view: "check" as const, evidence: undefined as never })}
      className={cx("flex h-6 items-center gap-1.5 rounded-md border px-2 text-sm hover:underline", HUES[hue].text, HUES[hue].tint, HUES[hue].line)}
    >
      <span className="text-soft">Merge gate</span>
      <Icon name={icon} size={12} />
      <span className="font-medium">{word}</span>
    </Link>
  );
}
