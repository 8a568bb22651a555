import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { Refused } from "@/api/problem";
import { meQuery } from "@/api/queries/access";
import { shortId } from "@/format/text";
import { readAuditSearch } from "@/pages/audit/search";
import { readBoardSearch } from "@/pages/board/search";
import { readIssueSearch } from "@/pages/issue/search";
import { readProofSearch } from "@/pages/proof/search";
import { readRunSearch } from "@/pages/run/search";
import { readRunsSearch } from "@/pages/runs/search";
import { readSettingsSearch } from "@/pages/settings/search";
import { readWorkersSearch } from "@/pages/workers/search";
import { Shell } from "@/shell/Shell";
import { NotFound, RouteFailed, ShellFailed } from "./fallbacks";
import { queryClient } from "./query";

/*
 * All places of the page. Each page is a chunk of its own; what stands in an address is read by the
 * page's `search.ts`. To add one: a folder under `pages/`, a route here, a line in `shell/places.ts`.
 */

const root = createRootRouteWithContext<{ client: QueryClient }>()({ notFoundComponent: NotFound });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: (search: Record<string, unknown>): { next?: string; refused?: string } => ({
    // Only places of this page: an address that leads elsewhere is not followed.
    ...(typeof search.next === "string" && /^\/(?![/\\])/.test(search.next) ? { next: search.next } : {}),
    ...(typeof search.refused === "string" ? { refused: search.refused } : {}),
  }),
  component: lazyRouteComponent(() => import("@/pages/sign-in/SignInPage"), "SignInPage"),
});

/** Everything that needs a session. */
const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  beforeLoad: async ({ context, location }) => {
    try {
      await context.client.query({ ...meQuery, staleTime: "static" });
    } catch (error) {
      if (error instanceof Refused && error.problem.status === 401) {
        throw redirect({ to: "/sign-in", search: location.href === "/" ? {} : { next: location.href } });
      }
      throw error;
    }
  },
  component: Shell,
  errorComponent: ShellFailed,
});

const home = createRoute({
  getParentRoute: () => shell,
  path: "/",
  staticData: { crumb: () => "Home" },
  component: lazyRouteComponent(() => import("@/pages/home/HomePage"), "HomePage"),
});

const workers = createRoute({
  getParentRoute: () => shell,
  path: "/workers",
  validateSearch: readWorkersSearch,
  staticData: { crumb: () => "Workers" },
  component: lazyRouteComponent(() => import("@/pages/workers/WorkersPage"), "WorkersPage"),
});

const project = createRoute({
  getParentRoute: () => shell,
  path: "/p/$key",
  beforeLoad: ({ location, params }) => {
    if (location.pathname.replace(/\/$/, "") === `/p/${params.key}`) throw redirect({ to: "/p/$key/runs", params, replace: true });
  },
  staticData: { crumb: (params) => params.key ?? "" },
});

const board = createRoute({
  getParentRoute: () => project,
  path: "board",
  validateSearch: readBoardSearch,
  staticData: { crumb: () => "Board" },
  component: lazyRouteComponent(() => import("@/pages/board/BoardPage"), "BoardPage"),
});

const issue = createRoute({
  getParentRoute: () => project,
  path: "issues/$number",
  validateSearch: readIssueSearch,
  staticData: { crumb: (params) => `Issue #${params.number ?? ""}` },
  component: lazyRouteComponent(() => import("@/pages/issue/IssuePage"), "IssuePage"),
});

const runs = createRoute({ getParentRoute: () => project, path: "runs", staticData: { crumb: () => "Runs" } });

const runsList = createRoute({
  getParentRoute: () => runs,
  path: "/",
  validateSearch: readRunsSearch,
  component: lazyRouteComponent(() => import("@/pages/runs/RunsPage"), "RunsPage"),
});

const run = createRoute({
  getParentRoute: () => runs,
  path: "$run",
  validateSearch: readRunSearch,
  staticData: { crumb: (params) => shortId(params.run ?? "") },
  component: lazyRouteComponent(() => import("@/pages/run/RunPage"), "RunPage"),
});

const proof = createRoute({
  getParentRoute: () => project,
  path: "proof",
  validateSearch: readProofSearch,
  staticData: { crumb: () => "Proof" },
  component: lazyRouteComponent(() => import("@/pages/proof/ProofPage"), "ProofPage"),
});

const proofNow = createRoute({
  getParentRoute: () => proof,
  path: "/",
  component: lazyRouteComponent(() => import("@/pages/proof/ProofPage"), "NowPane"),
});

const proofRequirement = createRoute({
  getParentRoute: () => proof,
  path: "$req",
  staticData: { crumb: (params) => params.req ?? "" },
  component: lazyRouteComponent(() => import("@/pages/proof/ProofPage"), "RequirementPane"),
});

const proofRun = createRoute({
  getParentRoute: () => proof,
  path: "runs/$run",
  staticData: { crumb: (params) => `Run ${shortId(params.run ?? "")}` },
  component: lazyRouteComponent(() => import("@/pages/proof/ProofPage"), "RunPane"),
});

const audit = createRoute({
  getParentRoute: () => project,
  path: "audit",
  validateSearch: readAuditSearch,
  staticData: { crumb: () => "Audit" },
  component: lazyRouteComponent(() => import("@/pages/audit/AuditPage"), "AuditPage"),
});

const settings = createRoute({
  getParentRoute: () => project,
  path: "settings",
  validateSearch: readSettingsSearch,
  staticData: { crumb: () => "Settings" },
  component: lazyRouteComponent(() => import("@/pages/settings/SettingsPage"), "SettingsPage"),
});

const tree = root.addChildren([signIn, shell.addChildren([home, workers, project.addChildren([board, issue, runs.addChildren([runsList, run]), proof.addChildren([proofNow, proofRequirement, proofRun]), audit, settings])])]);

export const router = createRouter({
  routeTree: tree,
  context: { client: queryClient },
  defaultPreload: "intent",
  // Answers are kept by the query client, not by the router.
  defaultPreloadStaleTime: 0,
  defaultErrorComponent: RouteFailed,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
