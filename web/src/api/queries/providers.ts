import { queryOptions } from "@tanstack/react-query";
import { answered, api, type Shape } from "../client";
import { keys } from "./keys";

export type Provider = Shape<"Provider">;
export type ProviderCheck = Shape<"ProviderCheck">;
export type Price = Shape<"Price">;

/** The providers of models of the plane's machine, and what models cost. */
export const providersQuery = queryOptions({
  queryKey: keys.providers,
  queryFn: ({ signal }) => answered(api.GET("/api/v1/providers", { signal })),
});

/** Tries a provider's address and key; costs nothing. */
export function checkProvider(name: string): Promise<ProviderCheck> {
  return answered(api.POST("/api/v1/providers/{name}/check", { params: { path: { name } } }));
}
