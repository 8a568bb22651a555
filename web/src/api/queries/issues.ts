import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { answered, api, type Shape } from "../client";
import { keys } from "./keys";

export type Card = Shape<"IssueCard">;
export type Issue = Shape<"Issue">;
export type IssueStatus = Shape<"IssueStatus">;
export type IssueKind = Shape<"IssueKind">;
export type Priority = Shape<"Priority">;
export type Attention = Shape<"Attention">;
export type IssueChange = Shape<"IssueChange">;
export type NewIssue = Shape<"NewIssue">;

/** Which cards a board shows. */
export interface BoardFilter {
  kind?: IssueKind;
  attention?: Attention;
  label?: string;
  assignee?: string;
  q?: string;
}

/** Cards of each column that are asked for at first. */
const BEGIN = 100;
/** Cards in each request that follows: the most that the server gives. */
const PIECE = 500;

/** The beginning of each column of a project's board. */
export function boardQuery(project: string, filter: BoardFilter) {
  return queryOptions({
    queryKey: [...keys.board(project), filter],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/board", { signal, params: { path: { p: project }, query: { per_column: BEGIN, ...filter } } })),
    placeholderData: keepPreviousData,
  });
}

/** A column behind its beginning. `from` says behind which card; each page knows what it was asked for. */
export function restOfColumnQuery(project: string, filter: BoardFilter, status: IssueStatus, from: string) {
  return infiniteQueryOptions({
    queryKey: [...keys.board(project), "column", status, filter],
    queryFn: async ({ signal, pageParam }) => {
      const cursor = pageParam ?? from;
      const page = await answered(api.GET("/api/v1/projects/{p}/issues", { signal, params: { path: { p: project }, query: { status, cursor, limit: PIECE, ...filter } } }));
      return { ...page, from: cursor };
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
}

/** The issues that fit, the last changed first. */
export function issueListQuery(project: string, filter: BoardFilter) {
  return infiniteQueryOptions({
    queryKey: [...keys.board(project), "list", filter],
    queryFn: ({ signal, pageParam }) =>
      answered(api.GET("/api/v1/projects/{p}/issues", { signal, params: { path: { p: project }, query: { sort: "-updated_at", limit: PIECE, ...filter, ...(pageParam === null ? {} : { cursor: pageParam }) } } })),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor ?? null,
    placeholderData: keepPreviousData,
  });
}

/** What the project's issues ask of a person. */
export function issueAttentionQuery(project: string) {
  return queryOptions({
    queryKey: [...keys.board(project), "attention"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/attention", { signal, params: { path: { p: project } } })),
  });
}

/** An issue, by its number in the project. */
export function issueQuery(project: string, number: string) {
  return queryOptions({
    queryKey: [...keys.issues(project), number],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/issues/{issue}", { signal, params: { path: { issue: `${project}#${number}` } } })),
  });
}

/** The issue that a run is about, by its id. */
export function issueOfRunQuery(project: string, id: string) {
  return queryOptions({
    queryKey: [...keys.issues(project), id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/issues/{issue}", { signal, params: { path: { issue: id } } })),
  });
}

/** What was said on an issue, the oldest first. */
export function commentsQuery(project: string, id: string) {
  return queryOptions({
    queryKey: [...keys.issues(project), id, "comments"],
    queryFn: async ({ signal }) => {
      const said: Shape<"Comment">[] = [];
      let cursor: string | null = null;
      do {
        const query = cursor === null ? { limit: 500 } : { limit: 500, cursor };
        const page: Shape<"Listing_Comment"> = await answered(api.GET("/api/v1/issues/{issue}/comments", { signal, params: { path: { issue: id }, query } }));
        said.push(...page.items);
        cursor = page.next_cursor ?? null;
      } while (cursor !== null);
      return said;
    },
  });
}

/** The last runs about an issue. */
export function issueRunsQuery(project: string, id: string) {
  return queryOptions({
    queryKey: [...keys.issues(project), id, "runs"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/issues/{issue}/runs", { signal, params: { path: { issue: id }, query: { limit: 100 } } })),
  });
}

/** Where an issue came from, and what came from it. */
export function issueLineageQuery(project: string, id: string) {
  return queryOptions({
    queryKey: [...keys.issues(project), id, "lineage"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/issues/{issue}/lineage", { signal, params: { path: { issue: id } } })),
  });
}

export function fileIssue(project: string, body: NewIssue, idempotencyKey: string): Promise<Issue> {
  return answered(api.POST("/api/v1/projects/{p}/issues", { params: { path: { p: project }, header: { "Idempotency-Key": idempotencyKey } }, body }));
}

/** Changes an issue that still has this revision. */
export function changeIssue(id: string, revision: number, body: IssueChange): Promise<Issue> {
  return answered(api.PATCH("/api/v1/issues/{issue}", { params: { path: { issue: id }, header: { "If-Match": revision } }, body }));
}

export function sayOnIssue(id: string, body: string, idempotencyKey: string): Promise<Shape<"Comment">> {
  return answered(api.POST("/api/v1/issues/{issue}/comments", { params: { path: { issue: id }, header: { "Idempotency-Key": idempotencyKey } }, body: { body } }));
}
