import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { projectsQuery } from "@/api/queries/projects";
import { activeRunsQuery } from "@/api/queries/runs";
import { useAttention } from "@/attention/useAttention";
import { useFollowedRuns } from "@/live/hooks";
import { text } from "@/live/protocol";
import { live } from "@/live/store";
import { useNow } from "@/ui/clock";
import { badged, noticeOf, type Notice } from "./notices";
import { useLeave, useWish } from "./wish";

/** The tab that tells holds this lock; a tab that is looked at holds one whose name begins with the other. */
const TELLER = "proofhouse-teller";
const LOOKED_AT = "proofhouse-looked-at-";
/** So many proof runs are followed for their gates. */
const FOLLOWED = 8;

/** Tells a person who looks elsewhere what needs them: by the tab's title, and by notifications if they want. */
export function Notifier() {
  const wish = useWish();
  const isLet = useLeave() === "granted" && wish !== "nothing" && "locks" in navigator;
  useTitle(useAttention().list.length);
  useLookedAt();
  return isLet ? <Teller wish={wish} /> : null;
}

/** Of all tabs one tells; when it is closed, another does. */
function Teller({ wish }: { wish: ReturnType<typeof useWish> }) {
  const client = useQueryClient();
  const router = useRouter();
  const projectOf = useProofRuns();
  const now = useRef(0);
  const time = useNow();
  useEffect(() => {
    now.current = time;
  });
  const projects = useRef(projectOf);
  useEffect(() => {
    projects.current = projectOf;
  });
  const wanted = useRef(wish);
  useEffect(() => {
    wanted.current = wish;
  });
  useEffect(() => {
    const stop = new AbortController();
    const told = new Set<string>();
    const show = async (notice: Notice) => {
      told.add(notice.tag);
      // Whoever looks at a tab of this page sees it there.
      const { held = [] } = await navigator.locks.query();
      if (held.some(({ name }) => name?.startsWith(LOOKED_AT) === true)) return;
      const shown = new Notification(notice.title, { body: notice.body, tag: notice.tag });
      shown.onclick = () => {
        window.focus();
        router.history.push(notice.href);
        shown.close();
      };
    };
    const keyOf = (stream: string): string | null => {
      const id = stream.startsWith("project:") ? stream.slice(8) : projects.current.get(stream.slice(4));
      return client.getQueryData(projectsQuery.queryKey)?.find((project) => project.id === id)?.key ?? null;
    };
    const tell = () => {
      // What happened before is no news: a run is followed from its start.
      const since = now.current - 2_000;
      const end = live.onNews((entries) => {
        for (const entry of entries) {
          const key = Date.parse(entry.at) < since ? null : keyOf(entry.stream);
          const notice = key === null ? null : noticeOf(entry, key, wanted.current);
          if (notice !== null && !told.has(notice.tag)) void show(notice);
        }
      });
      return new Promise<void>((resolve) => {
        stop.signal.addEventListener("abort", () => {
          end();
          resolve();
        });
      });
    };
    navigator.locks.request(TELLER, { signal: stop.signal }, tell).catch(() => undefined);
    return () => stop.abort();
  }, [client, router]);
  return null;
}

/** Follows proof runs for their gates: those that are active, and those that begin, which may have ended before any list shows them. Answers the project of each. */
function useProofRuns(): ReadonlyMap<string, string> {
  const { data: active } = useQuery(activeRunsQuery);
  const [begun, setBegun] = useState<readonly (readonly [run: string, project: string])[]>([]);
  useEffect(() => live.onNews((entries) => {
    const more = entries.flatMap(({ kind, stream, data }) =>
      kind === "run.created" && stream.startsWith("project:") && text(data, "run_kind") === "proof" ? [[text(data, "run"), stream.slice(8)] as const] : []);
    if (more.length > 0) setBegun((known) => [...more.reverse(), ...known].slice(0, FOLLOWED));
  }), []);
  const listed = (active?.items ?? []).filter((run) => run.kind === "proof").map((run) => [run.id, run.project] as const);
  const followed = new Map([...begun, ...listed].slice(0, 2 * FOLLOWED));
  useFollowedRuns([...followed.keys()].sort());
  return followed;
}

/** Lets other tabs know that a person looks at this one. */
function useLookedAt(): void {
  useEffect(() => {
    if (!("locks" in navigator)) return;
    const name = LOOKED_AT + crypto.randomUUID();
    let leave: (() => void) | null = null;
    const look = () => {
      const looked = document.hasFocus() && !document.hidden;
      if (looked && leave === null) {
        const held = new Promise<void>((resolve) => {
          leave = resolve;
        });
        navigator.locks.request(name, () => held).catch(() => undefined);
      } else if (!looked && leave !== null) {
        leave();
        leave = null;
      }
    };
    look();
    const kinds = ["focus", "blur"] as const;
    for (const kind of kinds) addEventListener(kind, look);
    document.addEventListener("visibilitychange", look);
    return () => {
      for (const kind of kinds) removeEventListener(kind, look);
      document.removeEventListener("visibilitychange", look);
      leave?.();
    };
  }, []);
}

/** Keeps how many things wait for a person before the title, whichever page sets it. */
function useTitle(waiting: number): void {
  useEffect(() => {
    const put = () => {
      const title = badged(document.title, waiting);
      if (title !== document.title) document.title = title;
    };
    put();
    const watch = new MutationObserver(put);
    watch.observe(document.head, { childList: true, characterData: true, subtree: true });
    return () => {
      watch.disconnect();
      document.title = badged(document.title, 0);
    };
  }, [waiting]);
}
