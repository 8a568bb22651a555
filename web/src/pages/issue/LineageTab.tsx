import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Shape } from "@/api/client";
import { issueLineageQuery, type Issue } from "@/api/queries/issues";
import { visible } from "@/format/text";
import { Failed, SkeletonRows } from "@/ui/states";
import { Ago } from "@/ui/Time";

/** Where an issue came from, and what came from it. */
export function LineageTab({ issue, project }: { issue: Issue; project: string }) {
  const lineage = useQuery(issueLineageQuery(project, issue.id));
  if (lineage.isPending) return <SkeletonRows rows={2} columns={["6rem", "40%"]} label="Loading the lineage" />;
  if (lineage.data === undefined) return <Failed what="The lineage could not be loaded" error={lineage.error} onRetry={() => void lineage.refetch()} />;
  const { origins, descendants } = lineage.data;
  if (origins.length + descendants.length === 0) return <p className="text-soft">It came from no other issue, and none came from it.</p>;
  return (
    <div className="flex flex-col gap-3">
      <Side title="Came from" steps={origins} project={project} />
      <Side title="What came from it" steps={descendants} project={project} />
    </div>
  );
}

function Side({ title, steps, project }: { title: string; steps: readonly Shape<"RelativeView">[]; project: string }) {
  if (steps.length === 0) return null;
  return (
    <section aria-label={title}>
      <h2 className="mb-1 font-medium">{title}</h2>
      <ul className="flex flex-col gap-1">
        {steps.map(({ lineage, issue }) => (
          <li key={lineage.id} className="flex flex-wrap gap-x-2">
            {issue != null && (
              <Link to="/p/$key/issues/$number" params={{ key: project, number: String(issue.number) }} className="break-words hover:underline">
                <span className="num text-faint">#{issue.number}</span> {visible(issue.title)}
              </Link>
            )}
            <span className="text-sm text-soft">{lineage.kind}, <Ago at={lineage.at} /></span>
          </li>
        ))}
      </ul>
    </section>
  );
}
