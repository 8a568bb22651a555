import { useCallback, useEffect, useSyncExternalStore } from "react";
import { auditStream, projectStream, runStream } from "./protocol";
import type { LiveRun } from "./run";
import type { LiveStatus } from "./status";
import { live } from "./store";

/** What a run's journal has told, kept current while the component is shown. */
export function useLiveRun(id: string): LiveRun | null {
  const subscribe = useCallback((listener: () => void) => live.follow(runStream(id), listener), [id]);
  return useSyncExternalStore(subscribe, () => live.run(id));
}

/** As {@link useLiveRun}, where there may be no run. */
export function useLiveRunOf(id: string | null): LiveRun | null {
  const subscribe = useCallback((listener: () => void) => (id === null ? () => undefined : live.follow(runStream(id), listener)), [id]);
  return useSyncExternalStore(subscribe, () => (id === null ? null : live.run(id)));
}

/** Keeps the facts of these projects coming: what hangs on them is asked for anew (see `refresh.ts`). */
export function useFollowedProjects(ids: readonly string[]): void {
  const key = ids.join(",");
  useEffect(() => {
    const ends = key === "" ? [] : key.split(",").map((id) => live.follow(projectStream(id)));
    return () => ends.forEach((end) => end());
  }, [key]);
}

/** Keeps what is done in a project coming, for those who may see it. */
export function useFollowedAudit(project: string | null): void {
  useEffect(() => (project === null ? undefined : live.follow(auditStream(project))), [project]);
}

/** Keeps the journals of these runs coming, for rows of a list. */
export function useFollowedRuns(ids: readonly string[]): void {
  const key = ids.join(",");
  useEffect(() => {
    const ends = key === "" ? [] : key.split(",").map((id) => live.follow(runStream(id)));
    return () => ends.forEach((end) => end());
  }, [key]);
}

/** How the connection stands. */
export function useLiveStatus(): LiveStatus {
  return useSyncExternalStore(live.onStatus, () => live.status);
}
