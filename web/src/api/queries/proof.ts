import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { answered, api, type Shape } from "../client";
import { keys } from "./keys";

export type Requirement = Shape<"RequirementState">;
export type Obligation = Shape<"ObligationState">;
export type Captured = Shape<"CapturedRequirement">;
export type Evidence = Shape<"Evidence">;
export type EvidenceLine = Shape<"EvidenceLine">;
export type EvidenceCommand = Shape<"EvidenceCommand">;
export type Gate = Shape<"Gate">;
export type CheckAnswer = Shape<"CheckAnswer">;
export type ProofStatus = Shape<"ProofStatus">;
export type Waiver = Shape<"Waiver">;

/** Which requirements, and in which order: what the list's address says. */
export interface RequirementFilter {
  q?: string;
  /** About this issue: its number. */
  issue?: string;
  status?: readonly Shape<"Status">[];
  severity?: readonly Shape<"Severity">[];
  kind?: readonly Shape<"Kind">[];
  gate?: string;
  verdict?: Shape<"Verdict">;
  stale?: true;
  flaky?: true;
  sort?: string;
}

/** As many as the server gives at once: 5,000 requirements are ten requests. */
const PAGE = 500;

export function requirementsQuery(project: string, filter: RequirementFilter) {
  return infiniteQueryOptions({
    queryKey: [...keys.proof(project), "list", filter],
    queryFn: ({ signal, pageParam }) => {
      const { status, severity, kind, ...rest } = filter;
      const list = (name: string, words: readonly string[] | undefined) => (words === undefined ? {} : { [name]: words.join(",") });
      return answered(
        api.GET("/api/v1/projects/{p}/proof/requirements", {
          signal,
          params: {
            path: { p: project },
            query: {
              limit: PAGE,
              ...rest,
              ...list("status", status),
              ...list("severity", severity),
              ...list("kind", kind),
              ...(pageParam === null ? {} : { cursor: pageParam }),
            },
          },
        }),
      );
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
}

/** The requirements about an issue: so many as one looks at, and how many there are. */
export function requirementsOfIssueQuery(project: string, issue: string) {
  return queryOptions({
    queryKey: [...keys.proof(project), "list", "issue", issue],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/proof/requirements", { signal, params: { path: { p: project }, query: { issue, limit: PAGE } } })),
  });
}

/** Counts, the files as they lie, the run that is active and the one that ended last. */
export function proofStatusQuery(project: string) {
  return queryOptions({
    queryKey: [...keys.proof(project), "status"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/proof/status", { signal, params: { path: { p: project }, query: { limit: 1 } } })),
  });
}

/** May the checkout, or a ref, be merged? */
export function checkQuery(project: string, ref: string | null) {
  return queryOptions({
    queryKey: [...keys.proof(project), "check", ref],
    queryFn: ({ signal }) =>
      answered(api.GET("/api/v1/projects/{p}/proof/check", { signal, params: { path: { p: project }, query: ref === null ? {} : { ref } } })),
    // A check that cannot be answered is said at once: it is never taken for clear. What keeps it from
    // being answered (a folder that is away, a disk that is slow) may end without any news.
    retry: false,
    refetchInterval: (query) => (query.state.status === "error" ? 5_000 : false),
  });
}

export function gatesQuery(project: string) {
  return queryOptions({
    queryKey: [...keys.proof(project), "gates"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/proof/gates", { signal, params: { path: { p: project } } })),
  });
}

/** The tools that were found, what they lack, and the policy that would let them run. */
export function runnersQuery(project: string) {
  return queryOptions({
    queryKey: [...keys.proof(project), "runners"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/proof/runners", { signal, params: { path: { p: project } } })),
  });
}

/** A requirement, with which of its stubs are in the checkout. */
export function requirementQuery(project: string, req: string) {
  return queryOptions({
    queryKey: [...keys.requirement(req), project],
    queryFn: ({ signal }) =>
      answered(api.GET("/api/v1/projects/{p}/proof/requirements/{req}", { signal, params: { path: { p: project, req }, query: { stubs: true } } })),
  });
}

/** What was shown for a requirement, newest first. */
export function evidenceListQuery(project: string, requirement: string) {
  return infiniteQueryOptions({
    queryKey: [...keys.requirement(requirement), project, "evidence"],
    queryFn: ({ signal, pageParam }) =>
      answered(
        api.GET("/api/v1/projects/{p}/proof/requirements/{requirement}/evidence", {
          signal,
          params: { path: { p: project, requirement }, query: { limit: 50, ...(pageParam === null ? {} : { cursor: pageParam }) } },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
}

export function waiversQuery(project: string, req: string) {
  return queryOptions({
    queryKey: [...keys.requirement(req), project, "waivers"],
    queryFn: ({ signal }) =>
      answered(api.GET("/api/v1/projects/{p}/proof/requirements/{req}/waivers", { signal, params: { path: { p: project, req }, query: { limit: 100 } } })),
  });
}

export function evidenceQuery(project: string, evidence: string) {
  return queryOptions({
    queryKey: [...keys.proof(project), "evidence", evidence],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/{p}/proof/evidence/{evidence}", { signal, params: { path: { p: project, evidence } } })),
  });
}

/** Where the bytes behind a digest of a piece of evidence are. */
export function evidenceBytes(project: string, evidence: string, digest: string): string {
  return `/api/v1/projects/${encodeURIComponent(project)}/proof/evidence/${evidence}/artifacts/${encodeURIComponent(digest)}`;
}

/** The gates of a run as rows: for runs whose journal is past its retention. */
export function runGatesQuery(run: string) {
  return queryOptions({
    queryKey: [...keys.run(run), "gates"],
    queryFn: async ({ signal }) => {
      const items: Shape<"RunGate">[] = [];
      let cursor: string | null = null;
      do {
        const query = cursor === null ? { limit: 500 } : { limit: 500, cursor };
        const page: Shape<"Listing_RunGate"> = await answered(api.GET("/api/v1/runs/{run}/gates", { signal, params: { path: { run }, query } }));
        items.push(...page.items);
        cursor = page.next_cursor ?? null;
      } while (cursor !== null);
      return items;
    },
  });
}

export type CaptureBody = Shape<"CaptureRequirement">;

/** What a capture would make of this; nothing is stored. */
export function previewCapture(project: string, body: CaptureBody, signal?: AbortSignal): Promise<Captured> {
  return answered(
    api.POST("/api/v1/projects/{p}/proof/requirements", {
      ...(signal === undefined ? {} : { signal }),
      params: { path: { p: project }, query: { dry_run: true } },
      body,
    }),
  );
}

export function capture(project: string, body: CaptureBody, idempotencyKey: string): Promise<Captured> {
  return answered(
    api.POST("/api/v1/projects/{p}/proof/requirements", {
      params: { path: { p: project }, header: { "Idempotency-Key": idempotencyKey } },
      body,
    }),
  );
}

export type ChangeBody = Shape<"ChangeRequirement">;

/** Changes a requirement that was read with this revision; 412 when somebody else changed it since. */
export function changeRequirement(project: string, req: string, revision: number, body: ChangeBody): Promise<Requirement> {
  return answered(
    api.PATCH("/api/v1/projects/{p}/proof/requirements/{req}", { params: { path: { p: project, req }, header: { "If-Match": revision } }, body }),
  );
}

export function writeStubs(project: string, req: string) {
  return answered(api.POST("/api/v1/projects/{p}/proof/requirements/{req}/stubs", { params: { path: { p: project, req } } }));
}

export function grantWaiver(project: string, req: string, body: Shape<"GrantWaiver">, idempotencyKey: string) {
  return answered(
    api.POST("/api/v1/projects/{p}/proof/requirements/{req}/waivers", {
      params: { path: { p: project, req }, header: { "Idempotency-Key": idempotencyKey } },
      body,
    }),
  );
}

export function revokeWaiver(project: string, req: string, waiver: string, reason: string) {
  return answered(
    api.POST("/api/v1/projects/{p}/proof/requirements/{req}/waivers/{waiver}/revoke", {
      params: { path: { p: project, req, waiver } },
      body: { reason },
    }),
  );
}

/** What a proof run shall do. */
export interface ProofConfig {
  mode?: "full" | "changed" | "not_clear";
  requirements?: readonly string[];
  gates?: readonly string[];
  include_waived?: boolean;
  target?: "worktree" | { ref: string };
  base?: string;
  manual?: "wait" | "skip";
}

/** Starts a proof run, or joins the one that is active. The key makes a repeated request the same one (P78). */
export function startProof(project: string, config: ProofConfig, idempotencyKey: string): Promise<Shape<"Started">> {
  return answered(
    api.POST("/api/v1/projects/{p}/runs", {
      params: { path: { p: project }, query: { join: true }, header: { "Idempotency-Key": idempotencyKey } },
      body: { kind: "proof", config: { ...config } },
    }),
  );
}

export function acceptDefinitions(project: string, definitions: readonly string[], reason: string) {
  return answered(
    api.POST("/api/v1/projects/{p}/proof/gates/accept", { params: { path: { p: project } }, body: { definitions: [...definitions], reason } }),
  );
}
