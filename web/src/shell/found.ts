import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { answered, api } from "@/api/client";
import { keys } from "@/api/queries/keys";
import { useSettled } from "@/ui/settled";

/** Typing pauses this long before the plane is asked. */
const PAUSE = 150;
/** One letter finds half of everything. */
const LEAST = 2;
/** So many of each. */
const MOST = 6;

/** What the plane finds in a project by title, text or number; `looking` while an answer is still to come. */
export function useFound(project: string | null, words: string) {
  const q = useSettled(words.trim(), PAUSE);
  const on = project !== null && q.length >= LEAST;
  const path = { p: project ?? "" };
  const query = { q, limit: MOST };
  const issues = useQuery({
    queryKey: [...keys.board(project ?? ""), "found", q],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/issues", { signal, params: { path, query } })),
    enabled: on, placeholderData: keepPreviousData, gcTime: 10_000,
  });
  const requirements = useQuery({
    queryKey: [...keys.proof(project ?? ""), "found", q],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/proof/requirements", { signal, params: { path, query } })),
    enabled: on, placeholderData: keepPreviousData, gcTime: 10_000,
  });
  const asks = project !== null && words.trim().length >= LEAST;
  return {
    issues: on && asks ? (issues.data?.items ?? []) : [],
    requirements: on && asks ? (requirements.data?.items ?? []) : [],
    looking: asks && (words.trim() !== q || issues.isFetching || requirements.isFetching),
  };
}
