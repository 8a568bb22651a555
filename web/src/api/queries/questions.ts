import { queryOptions } from "@tanstack/react-query";
import { answered, api, type Shape } from "../client";
import { keys } from "./keys";

export type Question = Shape<"Question">;

/** What is asked over all projects, newest first. */
export const openQuestionsQuery = queryOptions({
  queryKey: keys.questions,
  queryFn: ({ signal }) => answered(api.GET("/api/v1/questions", { signal, params: { query: { state: "open", limit: 200 } } })),
});

export function answerQuestion(question: string, body: Record<string, unknown>) {
  return answered(api.POST("/api/v1/questions/{question}/answer", { params: { path: { question } }, body }));
}
