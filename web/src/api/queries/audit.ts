import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { isEntry, type Entry } from "@/live/protocol";
import { answered, api } from "../client";
import { keys } from "./keys";

/** As many numbers one request looks at: the most that the server gives at once. */
const PIECE = 1_000;

interface AuditPage {
  /** The newest first. */
  items: readonly Entry[];
  head: number;
  /** What is asked for next reaches up to this number; 0 when all is here. */
  below: number;
}

/** Who did what in a project, the newest first. Journals are read from a number on, so pieces are taken from their end. */
export function auditQuery(project: string) {
  return infiniteQueryOptions({
    queryKey: keys.audit(project),
    queryFn: async ({ signal, pageParam }): Promise<AuditPage> => {
      const ask = (since: number, limit: number) =>
        answered(api.GET("/api/v1/projects/{p}/audit/entries", { signal, params: { path: { p: project }, query: { since, limit } } }));
      const upTo = pageParam ?? (await ask(0, 1)).head;
      if (upTo === 0) return { items: [], head: 0, below: 0 };
      // What retention has cut is not asked for: behind 0 the server begins with what is left.
      const page = await ask(Math.max(0, upTo - PIECE), PIECE);
      const items: readonly unknown[] = page.items;
      const entries = items.filter(isEntry).filter(({ seq }) => seq <= upTo).reverse();
      const first = entries.at(-1)?.seq ?? 0;
      return { items: entries, head: page.head, below: first > page.floor ? first - 1 : 0 };
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => (page.below === 0 ? null : page.below),
  });
}

/** Whether the audit's journal is what was written, as the plane finds when it is asked. */
export function chainQuery(project: string) {
  return queryOptions({
    queryKey: [...keys.checked(project), "chain"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/audit/chain", { signal, params: { path: { p: project } } })),
    staleTime: 5 * 60_000,
  });
}

/** Journals, evidence and blobs of a project, held against what was stored. It reads all of them: only a person asks. */
export function verifiedQuery(project: string) {
  return queryOptions({
    queryKey: [...keys.checked(project), "all"],
    // Without a signal: it goes on when the page is left, and what it found is here when one comes back.
    queryFn: async () => {
      const began = Date.now();
      const found = await answered(api.GET("/api/v1/verify", { params: { query: { project } } }));
      return { ...found, at: new Date().toISOString(), took: Date.now() - began };
    },
    enabled: false,
    staleTime: Infinity,
    gcTime: Infinity,
    retry: false,
  });
}
