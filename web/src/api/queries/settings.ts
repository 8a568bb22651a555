import { queryOptions } from "@tanstack/react-query";
import { answered, api, type Shape } from "../client";
import { keys } from "./keys";

export type Document = Shape<"Document">;
export type Token = Shape<"Token">;

export type DocumentName = "policy" | "proof" | "budget";

/** A project's policy, how its proof is judged, or what may be spent. */
export function documentQuery(project: string, document: DocumentName) {
  return queryOptions({
    queryKey: [...keys.settings(project), document],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/settings/{document}", { signal, params: { path: { p: project, document } } })),
  });
}

/** Writes a document that was read at this revision; 0 writes the first. */
export function putDocument(project: string, document: DocumentName, body: Record<string, unknown>, revision: number): Promise<Document> {
  return answered(
    api.PUT("/api/v1/projects/{p}/settings/{document}", { params: { path: { p: project, document }, header: { "If-Match": revision } }, body }),
  );
}

export function changeProject(project: string, body: Shape<"ChangeProject">, revision: number) {
  return answered(api.PATCH("/api/v1/projects/{p}", { params: { path: { p: project }, header: { "If-Match": revision } }, body }));
}

export const tokensQuery = queryOptions({
  queryKey: keys.tokens,
  queryFn: ({ signal }) => answered(api.GET("/api/v1/tokens", { signal, params: { query: { limit: 500 } } })),
});

export function makeToken(body: Shape<"MakeToken">, idempotencyKey: string): Promise<Shape<"NewTokenView">> {
  return answered(api.POST("/api/v1/tokens", { params: { header: { "Idempotency-Key": idempotencyKey } }, body }));
}

export function revokeToken(token: string) {
  return answered(api.DELETE("/api/v1/tokens/{token}", { params: { path: { token } } }));
}
