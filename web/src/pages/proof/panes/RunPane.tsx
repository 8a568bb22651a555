import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { runQuery } from "@/api/queries/runs";
import { shortId } from "@/format/text";
import { Bar, Failed } from "@/ui/states";
import { EvidencePanel } from "../evidence/EvidencePanel";
import { RunSurface } from "../board/RunSurface";
import { PaneHead } from "./Pane";

/** One run of the history, or the active one by its address. */
export function RunPane() {
  const { key, run: id } = useParams({ from: "/shell/p/$key/proof/runs/$run" });
  const search = useSearch({ from: "/shell/p/$key/proof" });
  const query = useQuery(runQuery(id));
  if (search.evidence !== undefined) return <EvidencePanel id={search.evidence} />;
  return (
    <>
      <title>{`Proof run ${shortId(id)} · ${key} · Proofhouse`}</title>
      <PaneHead title={<>Run <span className="font-mono font-normal text-soft">{shortId(id)}</span></>}>
        <Link to="/p/$key/runs/$run" params={{ key, run: id }} className="text-sm text-accent underline underline-offset-2">Timeline and journal</Link>
      </PaneHead>
      {query.isPending && (
        <div role="status" aria-label="Loading the run" className="flex flex-col gap-3 p-4">
          <Bar width="40%" />
          <Bar width="70%" />
        </div>
      )}
      {query.data === undefined && query.error !== null && <Failed what="The run could not be loaded" error={query.error} busy={query.isFetching} onRetry={() => void query.refetch()} />}
      {query.data !== undefined && <RunSurface key={id} read={query.data} />}
    </>
  );
}
