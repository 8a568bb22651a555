import { useQuery } from "@tanstack/react-query";
import { issueRunsQuery, type Issue } from "@/api/queries/issues";
import { RunRow } from "@/pages/runs/RunRow";
import { Failed, SkeletonRows } from "@/ui/states";

/** The runs about an issue, newest first. */
export function IssueRuns({ issue, project }: { issue: Issue; project: string }) {
  const runs = useQuery(issueRunsQuery(project, issue.id));
  if (runs.isPending) return <SkeletonRows rows={2} columns={["6rem", "40%"]} label="Loading the runs" />;
  if (runs.data === undefined) return <Failed what="The runs could not be loaded" error={runs.error} onRetry={() => void runs.refetch()} />;
  if (runs.data.items.length === 0) return <p className="text-soft">No run was about this issue yet.</p>;
  return (
    <div className="overflow-x-auto">
      <div role="table" aria-label="Runs of the issue">
        <div role="rowgroup">
          {runs.data.items.map((run) => (
            <div key={run.id} role="row" className="relative h-[37px] max-sm:h-[72px]"><RunRow run={run} project={project} /></div>
          ))}
        </div>
      </div>
    </div>
  );
}
