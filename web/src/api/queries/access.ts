import { queryOptions } from "@tanstack/react-query";
import { answered, api } from "../client";
import { keys } from "./keys";

/** Who is signed in. */
export const meQuery = queryOptions({
  queryKey: keys.me,
  queryFn: ({ signal }) => answered(api.GET("/api/v1/me", { signal })),
  staleTime: 60_000,
});

export function signIn(token: string) {
  return answered(api.POST("/api/v1/sessions", { body: { token } }));
}

export function signOut() {
  return answered(api.DELETE("/api/v1/sessions/current"));
}
