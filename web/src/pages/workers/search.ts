import type { Shape } from "@/api/client";
import type { Worker } from "@/api/queries/workers";

type WorkerState = Shape<"WorkerState">;

/** What of the workers stands in the address (W2). */
export interface WorkersSearch {
  /** Only those that are so; all but revoked ones when absent. */
  state?: WorkerState;
  q?: string;
}

/** In the order in which they matter. */
export const STATES: readonly WorkerState[] = ["late", "offline", "draining", "online", "revoked"];

export function readWorkersSearch(search: Record<string, unknown>): WorkersSearch {
  const state = STATES.find((known) => known === search.state);
  const q = typeof search.q === "number" ? String(search.q) : search.q;
  return { ...(state === undefined ? {} : { state }), ...(typeof q === "string" && q.trim() !== "" ? { q: q.slice(0, 200) } : {}) };
}

/** Those that are so and have all of these words in their name, place, agents or labels. */
export function fitting(workers: readonly Worker[], { state, q }: WorkersSearch): Worker[] {
  const parts = (q ?? "").toLowerCase().split(/\s+/).filter((part) => part !== "");
  return workers.filter((worker) => {
    if (state === undefined ? worker.state === "revoked" : worker.state !== state) return false;
    if (parts.length === 0) return true;
    const words = [worker.name, worker.platform, worker.version, ...worker.offers, ...worker.agents.map((agent) => agent.id)].join(" ").toLowerCase();
    return parts.every((part) => words.includes(part));
  });
}
