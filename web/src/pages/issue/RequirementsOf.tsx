import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { meQuery } from "@/api/queries/access";
import { requirementsOfIssueQuery } from "@/api/queries/proof";
import { runQuery } from "@/api/queries/runs";
import { count } from "@/format/number";
import { shortId, visible } from "@/format/text";
import { GateBadge } from "@/pages/proof/list/RequirementRow";
import { useStart } from "@/pages/proof/start";
import { lookOfObligation, lookOfRequirement } from "@/pages/proof/words";
import { Button } from "@/ui/Button";
import { Bar, Failed } from "@/ui/states";
import { Status } from "@/ui/Status";
import { isTerminal } from "@/ui/status";
import { Refusal } from "./Refusal";

/** So many are named here; the proof page has all. */
const SHOWN = 12;

interface RequirementsOfProps {
  project: string;
  number: number;
  /** The dispatch whose branch they may be run on. */
  dispatch: string | null;
}

/** What has to be proven of an issue, and the way to run it: on the checkout, or on what a dispatch made (P83). */
export function RequirementsOf({ project, number, dispatch }: RequirementsOfProps) {
  const list = useQuery(requirementsOfIssueQuery(project, String(number)));
  const run = useQuery({ ...runQuery(dispatch ?? ""), enabled: dispatch !== null });
  const { data: me } = useQuery(meQuery);
  const start = useStart(project);
  const readOnly = me?.role === "viewer" ? "Your role may only read" : null;
  const branch = run.data !== undefined && isTerminal(run.data.status) ? (run.data.dispatch?.report?.branch ?? null) : null;
  const items = list.data?.items ?? [];
  const requirements = items.map(({ id }) => id);
  const issue = String(number);
  if (list.data === undefined && list.error !== null) return <div className="-mx-4"><Failed what="The requirements could not be loaded" error={list.error} busy={list.isFetching} onRetry={() => void list.refetch()} /></div>;
  return (
    <section aria-label="Requirements" className="flex flex-col gap-1.5">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <h2 className="font-semibold">Requirements{items.length > 0 && <span className="num ml-1.5 text-sm font-normal text-faint">{count(list.data?.total ?? 0)}</span>}</h2>
        {items.length > 0 && (
          <span className="ml-auto flex flex-wrap gap-2 max-sm:ml-0">
            {branch !== null && (
              <Button icon="play" busy={start.isStarting} blocked={readOnly} title={`On ${branch}`} onClick={() => start.start({ mode: "full", requirements, target: { ref: branch } })}>
                Run gates on its branch
              </Button>
            )}
            <Button icon="play" busy={start.isStarting} blocked={readOnly} onClick={() => start.start({ mode: "full", requirements })}>
              Run gates on the checkout
            </Button>
          </span>
        )}
      </header>
      {start.error !== null && <Refusal what="No run was started" error={start.error} />}
      {start.started !== null && (
        <p role="status">
          {start.started.joined ? "Joined " : "Started "}
          <Link to="/p/$key/runs/$run" params={{ key: project, run: start.started.run }} className="font-mono underline underline-offset-2">run {shortId(start.started.run)}</Link>
          {start.started.joined && start.started.covers === false && ", which was active already and does not do all of this: run again when it has ended"}
        </p>
      )}
      {list.isPending && <p role="status" aria-label="Loading the requirements"><Bar width="60%" /></p>}
      {list.data !== undefined && items.length === 0 && (
        <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-soft">
          None is about this issue: no gate would show that it holds.
          <Link to="/p/$key/proof" params={{ key: project }} search={{ issue, capture: true }} className="text-accent underline underline-offset-2">Capture one</Link>
        </p>
      )}
      {items.length > 0 && (
        <ul aria-label="Requirements of the issue" className="divide-y divide-line rounded-md border border-line">
          {items.slice(0, SHOWN).map((one) => (
            <li key={one.id} className="relative flex flex-wrap items-center gap-x-3 gap-y-0.5 px-3 py-1.5 hover:bg-panel">
              <Status look={lookOfRequirement(one)} className="w-22" />
              <span className="font-mono text-sm text-soft">{one.id}</span>
              <Link to="/p/$key/proof/$req" params={{ key: project, req: one.id }} search={{ issue }} className="min-w-0 flex-1 basis-40 break-words after:absolute after:inset-0">
                <bdi>{visible(one.title)}</bdi>
              </Link>
              <span className="flex flex-wrap gap-1">
                {one.obligations.map((obligation) => <GateBadge key={obligation.gate} obligation={obligation} look={lookOfObligation(obligation)} />)}
              </span>
            </li>
          ))}
        </ul>
      )}
      {items.length > 0 && (
        <Link to="/p/$key/proof" params={{ key: project }} search={{ issue }} className="w-fit text-sm text-soft underline underline-offset-2 hover:text-ink">
          {items.length > SHOWN ? `All ${count(list.data?.total ?? 0)} in Proof` : "Look at them in Proof"}
        </Link>
      )}
    </section>
  );
}
