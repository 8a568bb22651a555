import createClient from "openapi-fetch";
import { noteServerTime } from "@/ui/clock";
import type { components, paths } from "./schema";
import { type Problem, Refused, problemOf } from "./problem";

/** The API of the plane that served this page. */
export const api = createClient<paths>({
  baseUrl: globalThis.location.origin,
  credentials: "same-origin",
  // Looked up at each call, so that it stays the one of now.
  fetch: async (request) => {
    const response = await globalThis.fetch(request);
    noteServerTime(response.headers.get("date"));
    return response;
  },
});

/** A shape of the API, by name. */
export type Shape<Name extends keyof components["schemas"]> = components["schemas"][Name];

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What a call answered, or the refusal as an error that knows its code. */
export async function answered<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new Refused(offline());
  }
  if (answer.response.ok) return answer.data as T;
  throw new Refused(problemOf(answer.error, answer.response.status));
}

function offline(): Problem {
  return {
    code: "offline",
    title: "The server does not answer",
    detail: "The request did not reach the server, or its answer did not come back.",
    hint: "is it running? The page goes on by itself when it is back",
    status: 0,
    errors: [],
    facts: {},
  };
}
