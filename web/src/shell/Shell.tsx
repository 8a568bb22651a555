import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { Refused } from "@/api/problem";
import { projectsQuery } from "@/api/queries/projects";
import { useFollowedProjects, useLiveStatus } from "@/live/hooks";
import { refreshByNews } from "@/live/refresh";
import { Notifier } from "@/notify/Notifier";
import { Inbox } from "./Inbox";
import { listenForKeys, useKeys } from "./keys";
import { LostBanner } from "./LiveMark";
import { Palette } from "./Palette";
import type { Panel } from "./panels";
import { PLACES } from "./places";
import { rememberProject, useProjectAtHand } from "./project";
import { Rail } from "./Rail";
import { Shortcuts } from "./Shortcuts";
import { TopBar } from "./TopBar";

/** The projects whose facts are followed: as many as one connection takes beside the runs in view. */
const FOLLOWED = 40;

/** Everything around a page. */
export function Shell() {
  const [panel, open] = useState<Panel | null>(null);
  const navigate = useNavigate();
  const { key } = useProjectAtHand();
  useEffect(listenForKeys, []);
  useEffect(() => {
    if (key !== null) rememberProject(key);
  }, [key]);
  useCurrentAnswers();
  useSignedOut();
  useKeys({
    "mod k": () => open("palette"),
    "/": () => open("palette"),
    "?": () => open("shortcuts"),
    i: () => open("inbox"),
    ...Object.fromEntries(
      PLACES.filter((place) => !place.ofProject || key !== null).map((place) => [
        `g ${place.key}`,
        () => void navigate({ to: place.to ?? "/", params: place.ofProject ? { key: key ?? "" } : {} }),
      ]),
    ),
  }, true);
  return (
    <div className="flex h-dvh flex-col sm:flex-row">
      <a href="#main" className="sr-only z-50 rounded-md bg-bg px-3 py-2 focus:not-sr-only focus:absolute focus:top-2 focus:left-2">
        Skip to the page
      </a>
      <Notifier />
      <Rail />
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <TopBar open={open} />
        <LostBanner />
        <main id="main" tabIndex={-1} className="flex min-h-0 flex-1 flex-col outline-none">
          <Outlet />
        </main>
      </div>
      {panel === "palette" && <Palette onClose={() => open(null)} open={open} />}
      {panel === "inbox" && <Inbox onClose={() => open(null)} />}
      {panel === "shortcuts" && <Shortcuts onClose={() => open(null)} />}
    </div>
  );
}

/** Follows all projects, and asks anew for what their news made old. */
function useCurrentAnswers(): void {
  const client = useQueryClient();
  const { data: projects } = useQuery(projectsQuery);
  const { project } = useProjectAtHand();
  const rest = (projects ?? []).filter((one) => one.id !== project?.id);
  useFollowedProjects([...(project === null ? [] : [project]), ...rest].slice(0, FOLLOWED).map((one) => one.id).sort());
  useEffect(() => {
    const keyOf = (id: string) => client.getQueryData(projectsQuery.queryKey)?.find((one) => one.id === id)?.key ?? null;
    return refreshByNews(client, keyOf);
  }, [client]);
}

/** A session that ended while the page was open leads to the sign-in page, and back. */
function useSignedOut(): void {
  const { state } = useLiveStatus();
  const client = useQueryClient();
  const navigate = useNavigate();
  // Who this is was asked before the shell was shown: what the connection said until then is of the
  // session before.
  const before = useRef(state);
  // All questions that are open then are refused, each on its own: one of them leads away.
  const left = useRef(false);
  useEffect(() => {
    const leave = () => {
      if (left.current) return;
      left.current = true;
      void navigate({ to: "/sign-in", search: { next: location.pathname + location.search } });
    };
    if (state === "signed_out" && before.current !== "signed_out") leave();
    before.current = state;
    // An answer may say it sooner than the connection, which is looked at every few seconds.
    return client.getQueryCache().subscribe((event) => {
      if (event.type !== "updated" || event.action.type !== "error") return;
      const error: unknown = event.action.error;
      if (error instanceof Refused && error.problem.status === 401) leave();
    });
  }, [state, client, navigate]);
}
