import { queryOptions } from "@tanstack/react-query";
import { answered, api, type Shape } from "../client";
import { keys } from "./keys";

export type AgentRole = Shape<"AgentRole">;
export type FileRow = Shape<"FileRow">;
export type DispatchConfig = Record<string, unknown>;

/** The roles of a project, those with errors included. */
export function rolesQuery(project: string) {
  return queryOptions({
    queryKey: [...keys.settings(project), "roles"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/roles", { signal, params: { path: { p: project } } })),
  });
}

/** The workers that may serve a project. */
export function projectWorkersQuery(project: string) {
  return queryOptions({
    queryKey: [...keys.workers, project],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/workers", { signal, params: { path: { p: project }, query: { limit: 500 } } })),
  });
}

/** Hands an issue to a role. The key makes a repeated request the same one. */
export function startDispatch(project: string, issue: string, config: DispatchConfig, idempotencyKey: string) {
  return answered(
    api.POST("/api/v1/projects/{p}/runs", {
      params: { path: { p: project }, header: { "Idempotency-Key": idempotencyKey } },
      body: { kind: "dispatch", issue, config },
    }),
  );
}

/** What the agent of a run was told. */
export function contextQuery(run: string) {
  return queryOptions({
    queryKey: [...keys.run(run), "context"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/runs/{run}/context", { signal, params: { path: { run } } })),
  });
}

/** The difference that a run made. Commits never change, so it is read once. */
export function diffQuery(run: string, commit: string | null) {
  return queryOptions({
    queryKey: ["diff", run, commit],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/runs/{run}/diff", { signal, params: { path: { run } } })),
    enabled: commit !== null,
    staleTime: Infinity,
  });
}

export type Artifact = Shape<"Artifact">;

/** All artifacts of a run. */
export function artifactsQuery(run: string) {
  return queryOptions({
    queryKey: [...keys.run(run), "artifacts"],
    queryFn: async ({ signal }) => {
      const all: Artifact[] = [];
      let cursor: string | null = null;
      do {
        const query = cursor === null ? { limit: 500 } : { limit: 500, cursor };
        const page: Shape<"Listing_Artifact"> = await answered(api.GET("/api/v1/runs/{run}/artifacts", { signal, params: { path: { run }, query } }));
        all.push(...page.items);
        cursor = page.next_cursor ?? null;
      } while (cursor !== null);
      return all;
    },
  });
}

/** The address of an artifact's bytes, which are never run as a page. */
export function artifactUrl(id: string): string {
  return `/api/v1/artifacts/${id}`;
}

/** The text of an artifact, as much of it as one reads. */
export function artifactTextQuery(id: string, most = 512 * 1024) {
  return queryOptions({
    queryKey: ["artifact", id, most],
    queryFn: async ({ signal }) => {
      const response = await fetch(artifactUrl(id), { signal, headers: { range: `bytes=0-${most - 1}` } });
      if (!response.ok) throw new Error(`the artifact could not be read (${response.status})`);
      return response.text();
    },
    staleTime: Infinity,
  });
}

export type ChangeComment = Shape<"ChangeComment">;

/** What was said on what the runs of an issue made. */
export function changeCommentsQuery(project: string, issue: string) {
  return queryOptions({
    queryKey: [...keys.issues(project), issue, "change-comments"],
    queryFn: async ({ signal }) => {
      const said: ChangeComment[] = [];
      let cursor: string | null = null;
      do {
        const query = cursor === null ? { limit: 500 } : { limit: 500, cursor };
        const page: Shape<"Listing_ChangeComment"> = await answered(api.GET("/api/v1/issues/{issue}/change-comments", { signal, params: { path: { issue }, query } }));
        said.push(...page.items);
        cursor = page.next_cursor ?? null;
      } while (cursor !== null);
      return said;
    },
  });
}

export function commentChange(run: string, body: Shape<"NewChangeComment">, idempotencyKey: string): Promise<ChangeComment> {
  return answered(api.POST("/api/v1/runs/{run}/change-comments", { params: { path: { run }, header: { "Idempotency-Key": idempotencyKey } }, body }));
}

export function takeBackComment(run: string, comment: string) {
  return answered(api.DELETE("/api/v1/runs/{run}/change-comments/{comment}", { params: { path: { run, comment } } }));
}

/** Sends what was said: a new run goes on, and its agent is told. */
export function sendComments(run: string, idempotencyKey: string) {
  return answered(api.POST("/api/v1/runs/{run}/change-comments/send", { params: { path: { run }, header: { "Idempotency-Key": idempotencyKey } }, body: {} }));
}

/** Files a piece of work that an agent left; asked again, it is the same issue. */
export function fileFollowup(run: string, number: number, place: Shape<"FollowupPlace">): Promise<Shape<"Issue">> {
  return answered(api.POST("/api/v1/runs/{run}/followups/{n}/file", { params: { path: { run, n: number } }, body: { place } }));
}

/** Which role fits an issue: advice, nothing is stored. */
export function suggestRole(issue: string): Promise<Shape<"RoleSuggestion">> {
  return answered(api.POST("/api/v1/issues/{issue}/suggest-role", { params: { path: { issue } } }));
}
