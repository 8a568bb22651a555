import { queryOptions } from "@tanstack/react-query";
import { answered, api } from "@/api/client";
import { keys } from "@/api/queries/keys";
import { text } from "@/live/protocol";
import { draftOfRun, PLACES } from "./draft";

/** So many gates are worth naming. */
const GATES = 20;

/** What a run that went wrong tells of a glitch: the files that it changed, what failed, and where to look. */
export function captureSourceQuery(run: string, link: string) {
  return queryOptions({
    queryKey: [...keys.run(run), "capture"],
    queryFn: async ({ signal }) => {
      const params = { path: { run } };
      const [read, gates, entries] = await Promise.all([
        answered(api.GET("/api/v1/runs/{run}", { signal, params })),
        answered(api.GET("/api/v1/runs/{run}/gates", { signal, params: { ...params, query: { state: "failed", limit: GATES } } })),
        answered(api.GET("/api/v1/runs/{run}/entries", { signal, params: { ...params, query: { kind: "file.applied", limit: PLACES } } })),
      ]);
      const files = entries.items.map((entry) => text(entry.data, "path")).filter((path) => path !== "");
      return draftOfRun(read, gates.items, files, link);
    },
    staleTime: 60_000,
    retry: false,
  });
}
