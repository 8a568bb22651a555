import { queryOptions } from "@tanstack/react-query";
import { answered, api, type Shape } from "../client";
import { keys } from "./keys";

export type Worker = Shape<"Worker">;
export type Pairing = Shape<"Pairing">;

/** Every worker that one may know of, with what it does now. */
export const workersQuery = queryOptions({
  queryKey: keys.workers,
  queryFn: ({ signal }) => answered(api.GET("/api/v1/workers", { signal, params: { query: { limit: 500 } } })),
});

/** Invites a worker; the code is shown this once. */
export function inviteWorker(body: Shape<"Invite">): Promise<Pairing> {
  return answered(api.POST("/api/v1/workers/pairings", { body }));
}

export function drainWorker(id: string): Promise<Worker> {
  return answered(api.POST("/api/v1/workers/{worker}/drain", { params: { path: { worker: id } } }));
}

/** Lets a worker that drains claim again. */
export function undrainWorker(worker: Worker): Promise<Worker> {
  const params = { path: { worker: worker.id }, header: { "If-Match": worker.revision } };
  return answered(api.PATCH("/api/v1/workers/{worker}", { params, body: { draining: false } }));
}

export function revokeWorker(id: string): Promise<Worker> {
  return answered(api.POST("/api/v1/workers/{worker}/revoke", { params: { path: { worker: id } } }));
}
