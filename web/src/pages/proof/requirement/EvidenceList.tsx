import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { evidenceListQuery, type EvidenceLine, type Requirement } from "@/api/queries/proof";
import { Button } from "@/ui/Button";
import { Icon } from "@/ui/Icon";
import { Bar, Failed } from "@/ui/states";
import { Status } from "@/ui/Status";
import { lookOfVerdict } from "@/ui/status";
import { Ago } from "@/ui/Time";
import { useProof } from "../context";
import { Part } from "../panes/Pane";
import { reasonInWords } from "../words";

/** What was shown for a requirement, newest first; nothing is ever replaced. */
export function EvidenceList({ requirement }: { requirement: Requirement }) {
  const { project } = useProof();
  const list = useInfiniteQuery(evidenceListQuery(project, requirement.id));
  const lines = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Part title="Evidence">
      {list.isPending && (
        <div role="status" aria-label="Loading evidence" className="flex flex-col gap-2.5 py-1">
          <Bar width="80%" />
          <Bar width="75%" />
        </div>
      )}
      {list.data === undefined && list.error !== null && <Failed what="The evidence could not be loaded" error={list.error} busy={list.isFetching} onRetry={() => void list.refetch()} />}
      {list.data !== undefined && lines.length === 0 && <p className="text-soft">None yet: the first run of its gates leaves it here.</p>}
      <ul className="-mx-4">
        {lines.map((line) => (
          <Row key={line.id} line={line} />
        ))}
      </ul>
      {list.hasNextPage && (
        <Button className="mt-2" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Older evidence
        </Button>
      )}
    </Part>
  );
}

function Row({ line }: { line: EvidenceLine }) {
  const why = reasonInWords(line.reason);
  return (
    <li className="relative grid grid-cols-[6rem_minmax(0,1fr)_auto_auto] items-baseline gap-x-2 border-t border-line px-4 py-1 outline-offset-[-2px] outline-accent first:border-t-0 hover:bg-panel has-[a:focus-visible]:outline-2">
      <Status look={lookOfVerdict(line.verdict)} className="self-center text-sm" />
      <Link from="/p/$key/proof" to="." search={(before) => ({ ...before, evidence: line.id })} className="truncate outline-none after:absolute after:inset-0" aria-label={`Evidence of ${line.gate}, ${line.verdict}`}>
        {line.gate}
      </Link>
      <span className="flex min-w-0 items-baseline gap-2 text-sm">
        {!line.intact && <span className="inline-flex shrink-0 items-center gap-1 text-bad"><Icon name="broken" size={12} /> tampered</span>}
        {line.moved && <span className="shrink-0 text-warning" title="Files changed while its run went on: a pass of it counts nowhere">moved</span>}
        {line.tree != null && (
          <code className={line.stale ? "shrink-0 text-faint" : "shrink-0 text-soft"} title={`tree ${line.tree}${line.stale ? ", other files than the present ones" : ", the present files"}`}>
            {line.tree.slice(0, 8)}
          </code>
        )}
      </span>
      <span className="min-w-18 text-right text-sm text-faint"><Ago at={line.recorded_at} /></span>
      {why !== "" && <span className="col-span-3 col-start-2 text-sm break-words text-soft">{why}</span>}
    </li>
  );
}
