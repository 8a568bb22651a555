import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { answered, api, type Shape } from "../client";
import { keys } from "./keys";

export type Run = Shape<"Run">;
export type RunStatus = Shape<"RunStatus">;

export interface RunFilter {
  status?: readonly RunStatus[];
  active?: boolean;
  kind?: string;
}

const PAGE = 100;

/** A project's runs, newest first, in pages. */
export function runsQuery(project: string, filter: RunFilter) {
  return infiniteQueryOptions({
    queryKey: [...keys.runs(project), filter],
    queryFn: ({ signal, pageParam }) =>
      answered(
        api.GET("/api/v1/projects/{p}/runs", {
          signal,
          params: {
            path: { p: project },
            query: {
              limit: PAGE,
              ...(pageParam === null ? {} : { cursor: pageParam }),
              ...(filter.status === undefined || filter.status.length === 0 ? {} : { status: filter.status.join(",") }),
              ...(filter.active === undefined ? {} : { active: filter.active }),
              ...(filter.kind === undefined ? {} : { kind: filter.kind }),
            },
          },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
}

/** What goes on, over all projects. */
export const activeRunsQuery = queryOptions({
  queryKey: [...keys.everyRun, "active"],
  queryFn: ({ signal }) => answered(api.GET("/api/v1/runs", { signal, params: { query: { active: true, limit: 200 } } })),
});

/** What ended last, over all projects: a day's runs. */
export const endedRunsQuery = queryOptions({
  queryKey: [...keys.everyRun, "ended"],
  queryFn: ({ signal }) => answered(api.GET("/api/v1/runs", { signal, params: { query: { active: false, limit: 200 } } })),
});

/** A run. */
export function runQuery(id: string) {
  return queryOptions({
    queryKey: keys.run(id),
    queryFn: ({ signal }) => answered(api.GET("/api/v1/runs/{run}", { signal, params: { path: { run: id } } })),
  });
}

/** A command; how it ended is absent until it has. */
export type Command = Omit<Shape<"RunCommand">, keyof Shape<"CommandEnd">> & Partial<Shape<"CommandEnd">>;

/** All commands of a proof run: one for each distinct process. */
export function runCommandsQuery(id: string) {
  return queryOptions({
    queryKey: [...keys.run(id), "commands"],
    queryFn: async ({ signal }) => {
      const commands: Command[] = [];
      let cursor: string | null = null;
      do {
        const query = cursor === null ? { limit: 500 } : { limit: 500, cursor };
        const page: Shape<"Listing_RunCommand"> = await answered(api.GET("/api/v1/runs/{run}/commands", { signal, params: { path: { run: id }, query } }));
        commands.push(...page.items);
        cursor = page.next_cursor ?? null;
      } while (cursor !== null);
      return commands;
    },
  });
}

export type RunAction = "pause" | "resume" | "cancel";

export function controlRun(id: string, action: RunAction): Promise<Run> {
  const params = { path: { run: id } };
  switch (action) {
    case "pause":
      return answered(api.POST("/api/v1/runs/{run}/pause", { params }));
    case "resume":
      return answered(api.POST("/api/v1/runs/{run}/resume", { params }));
    case "cancel":
      return answered(api.POST("/api/v1/runs/{run}/cancel", { params }));
  }
}

/** Tries an ended run again. The key makes a repeated request the same one. */
export function retryRun(id: string, mode: Shape<"RetryMode">, idempotencyKey: string) {
  return answered(
    api.POST("/api/v1/runs/{run}/retry", {
      params: { path: { run: id }, header: { "Idempotency-Key": idempotencyKey } },
      body: { mode },
    }),
  );
}
