import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { artifactsQuery, artifactUrl, type Artifact } from "@/api/queries/dispatch";
import { issueRunsQuery, type Issue } from "@/api/queries/issues";
import { bytes, counted } from "@/format/number";
import { shortId, visible } from "@/format/text";
import { Failed, SkeletonRows } from "@/ui/states";
import { Ago } from "@/ui/Time";

/** Runs whose artifacts are listed: the newest. */
const RUNS = 20;

/** What the runs of an issue left: the newest of each name, and what it took the place of apart (S96). */
export function ArtifactsTab({ issue, project }: { issue: Issue; project: string }) {
  const runs = useQuery(issueRunsQuery(project, issue.id));
  const lists = useQueries({ queries: (runs.data?.items ?? []).slice(0, RUNS).map((run) => artifactsQuery(run.id)) });
  const failed = lists.find((list) => list.error !== null && list.data === undefined);
  if (runs.data === undefined && runs.error !== null) return <Failed what="The artifacts could not be loaded" error={runs.error} busy={runs.isFetching} onRetry={() => void runs.refetch()} />;
  if (failed !== undefined) return <Failed what="The artifacts could not be loaded" error={failed.error} busy={failed.isFetching} onRetry={() => void failed.refetch()} />;
  if (runs.isPending || lists.some((list) => list.isPending)) return <SkeletonRows rows={4} columns={["12rem", "6rem"]} label="Loading the artifacts" />;
  // Runs come newest first, the artifacts of one oldest first.
  const all = lists.flatMap((list) => [...(list.data ?? [])].reverse());
  if (all.length === 0) return <p className="text-soft">No run has left a file or text for this issue yet.</p>;
  const names = new Set<string>();
  const [current, superseded]: [Artifact[], Artifact[]] = [[], []];
  for (const artifact of all) {
    (names.has(artifact.name) ? superseded : current).push(artifact);
    names.add(artifact.name);
  }
  return (
    <div className="flex flex-col gap-3">
      <List label="Artifacts" artifacts={current} project={project} />
      {superseded.length > 0 && (
        <details>
          <summary className="text-soft">{counted(superseded.length, "earlier one")}, superseded</summary>
          <List label="Superseded artifacts" artifacts={superseded} project={project} />
        </details>
      )}
    </div>
  );
}

function List({ label, artifacts, project }: { label: string; artifacts: readonly Artifact[]; project: string }) {
  return (
    <ul aria-label={label} className="flex flex-col divide-y divide-line">
      {artifacts.map((artifact) => (
        <li key={artifact.id} className="flex flex-wrap items-baseline gap-x-3 py-1.5">
          {artifact.expired
            ? <span className="font-mono break-all text-faint line-through">{visible(artifact.name)}</span>
            : <a href={artifactUrl(artifact.id)} download={artifact.name} className="font-mono break-all underline underline-offset-2">{visible(artifact.name)}</a>}
          <span className="num text-sm text-soft">{bytes(artifact.bytes)}</span>
          {artifact.expired && <span className="text-sm text-soft">past its retention</span>}
          <span className="ml-auto text-sm text-soft">
            <Link to="/p/$key/runs/$run" params={{ key: project, run: artifact.run }} className="font-mono underline underline-offset-2">run {shortId(artifact.run)}</Link>, <Ago at={artifact.created_at} />
          </span>
        </li>
      ))}
    </ul>
  );
}
