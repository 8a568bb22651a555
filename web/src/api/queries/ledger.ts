import { queryOptions } from "@tanstack/react-query";
import { answered, api, type Shape } from "../client";
import { keys } from "./keys";

export type Ledger = Shape<"Ledger">;
export type LedgerLine = Shape<"LedgerLine">;
export type Pool = Shape<"BudgetPool">;
export type CostSum = Shape<"CostSum">;

/** All lines of a run, and how its pools stand. */
export function runLedgerQuery(run: string) {
  return queryOptions({
    queryKey: [...keys.ledger, "run", run],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/runs/{run}/ledger", { signal, params: { path: { run } } })),
  });
}

/** How the pools of a run stand, without its lines. */
export function runPoolsQuery(project: string, run: string) {
  return queryOptions({
    queryKey: [...keys.ledger, "pools", run],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/ledger", { signal, params: { path: { p: project }, query: { run, lines: false } } })),
  });
}

/** What a project spent on a UTC day, without its lines. */
export function dayPoolQuery(project: string, day: string) {
  return queryOptions({
    queryKey: [...keys.ledger, "day", project, day],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/ledger", { signal, params: { path: { p: project }, query: { day, lines: false } } })),
  });
}

/** The address of a run's lines as a file. */
export function ledgerFile(project: string, run: string): string {
  return `/api/v1/projects/${encodeURIComponent(project)}/ledger?run=${run}&format=csv`;
}
