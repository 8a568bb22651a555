import type { UseQueryResult } from "@tanstack/react-query";
import { useEffect, type ReactNode } from "react";
import { problemFrom } from "@/api/problem";
import { Button } from "@/ui/Button";
import { Icon } from "@/ui/Icon";
import { Bar, Code, Failed } from "@/ui/states";
import { useEditing } from "./held";

/** What is read before a part can be shown: its skeleton, its refusal, or it. */
export function Read<T>({ query, what, lines = 5, children }: { query: UseQueryResult<T>; what: string; lines?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return children(query.data);
  if (query.error !== null) return <div className="-mx-4"><Failed what={`${what} could not be loaded`} error={query.error} busy={query.isFetching} onRetry={() => void query.refetch()} /></div>;
  return (
    <div role="status" aria-label={`Loading ${what.toLowerCase()}`} className="flex flex-col gap-5">
      {Array.from({ length: lines }, (_, at) => (
        <div key={at} className="flex flex-col gap-2">
          <Bar width="7rem" />
          <Bar className="h-8" width={`${90 - at * 8}%`} />
        </div>
      ))}
    </div>
  );
}

/** What was refused, at the end of a form. */
export function Refusal({ error }: { error: Error | null }) {
  const editing = useEditing();
  if (error === null) return null;
  const problem = problemFrom(error);
  return (
    <>
      <div role="alert" className="rounded-md bg-bad-tint px-3 py-2">
        <p className="break-words">{problem.detail} (<Code code={problem.code} />)</p>
        {problem.status === 412 && <p className="text-soft">Somebody else saved since this was read. Load theirs, then make your change again.</p>}
        {problem.status !== 412 && problem.hint !== "" && <p className="text-sm text-soft">{problem.hint}</p>}
      </div>
      {problem.status === 412 && editing !== null && !editing.isBehind && <Button className="self-start" icon="retry" onClick={editing.load}>Load theirs</Button>}
    </>
  );
}

/** Save and Discard: there while something is changed (P77). */
export function SaveBar({ changed, busy, blocked, onDiscard }: { changed: boolean; busy: boolean; blocked: string | null; onDiscard: () => void }) {
  const editing = useEditing();
  const report = editing?.report;
  const why = blocked ?? (editing?.isBehind === true ? "Load theirs first" : null);
  const state = !changed ? "clean" : busy ? "saving" : "changed";
  useEffect(() => report?.(state), [report, state]);
  return (
    <div className="flex min-h-9 items-center gap-2">
      {changed && (
        <>
          <Button look="primary" type="submit" busy={busy} blocked={why}>Save</Button>
          <Button blocked={busy ? "It is being saved" : null} onClick={onDiscard}>Discard</Button>
        </>
      )}
      <p role="status" className="flex items-center gap-1 text-good">
        {!changed && editing?.isSaved === true && (
          <>
            <Icon name="check" size={14} /> Saved
          </>
        )}
      </p>
    </div>
  );
}
