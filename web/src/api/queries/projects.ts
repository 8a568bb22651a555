import { queryOptions } from "@tanstack/react-query";
import { answered, api, type Shape } from "../client";
import { keys } from "./keys";

export type Project = Shape<"Project">;

/** Every project that this person sees, by key. */
export const projectsQuery = queryOptions({
  queryKey: keys.projects,
  queryFn: async ({ signal }) => {
    const projects: Project[] = [];
    let cursor: string | null = null;
    do {
      const query = cursor === null ? { limit: 500 } : { limit: 500, cursor };
      const page: Shape<"Listing_Project"> = await answered(api.GET("/api/v1/projects", { signal, params: { query } }));
      projects.push(...page.items);
      cursor = page.next_cursor ?? null;
    } while (cursor !== null);
    return projects;
  },
});

/** One project, with the revision that a change must name. */
export function projectQuery(key: string) {
  return queryOptions({
    queryKey: keys.project(key),
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}", { signal, params: { path: { p: key } } })),
  });
}
