import { useQueries, useQuery } from "@tanstack/react-query";
import { issueAttentionQuery } from "@/api/queries/issues";
import { projectsQuery } from "@/api/queries/projects";
import { proofStatusQuery } from "@/api/queries/proof";
import { openQuestionsQuery } from "@/api/queries/questions";
import { endedRunsQuery } from "@/api/queries/runs";
import { workersQuery } from "@/api/queries/workers";
import { attentionOf, type Attention } from "./attention";

/** As many projects are asked about their evidence and issues: those whose keys come first. */
const MOST = 20;

export interface Asked {
  list: readonly Attention[];
  isPending: boolean;
  error: unknown;
  refetch: () => void;
}

/** What wants a person, over all projects, as it is now. */
export function useAttention(): Asked {
  const projects = useQuery(projectsQuery);
  const questions = useQuery(openQuestionsQuery);
  const ended = useQuery(endedRunsQuery);
  const workers = useQuery(workersQuery);
  const keys = (projects.data ?? []).slice(0, MOST).map((project) => project.key);
  const statuses = useQueries({ queries: keys.map((key) => proofStatusQuery(key)) });
  const boards = useQueries({ queries: keys.map((key) => issueAttentionQuery(key)) });
  const issues = keys.map((key, at) => {
    const told = boards[at]?.data;
    return [key, { failed: told?.failed ?? 0, review: told?.to_review ?? 0, plan: told?.to_plan ?? 0 }] as const;
  });
  const needed = [projects, questions, ended];
  return {
    list: attentionOf({
      questions: questions.data?.items ?? [], ended: ended.data?.items ?? [], issues: new Map(issues),
      tampered: new Map(keys.map((key, at) => [key, statuses[at]?.data?.tampered ?? 0])),
      // The plane's own worker is away with the plane.
      offline: (workers.data?.items ?? []).filter((worker) => worker.owner != null && worker.state === "offline").length,
    }),
    isPending: needed.some((query) => query.isPending),
    error: needed.find((query) => query.error !== null && query.data === undefined)?.error ?? null,
    refetch: () => void Promise.all(needed.map((query) => query.refetch())),
  };
}
