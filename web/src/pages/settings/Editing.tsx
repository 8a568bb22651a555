import type { UseQueryResult } from "@tanstack/react-query";
import { Fragment, useState, type ReactNode } from "react";
import { Button } from "@/ui/Button";
import { Icon } from "@/ui/Icon";
import { EditingContext, standsOn, type EditState } from "./held";
import { Read } from "./parts";

/**
 * A form over something that others may change, too: it stands on what was there when one began to type. What somebody
 * else saves meanwhile is told and takes nothing of what was typed away, until one says so.
 */
export function Editing<T extends { revision: number }>({ query, what, lines, children }: { query: UseQueryResult<T>; what: string; lines?: number; children: (stored: T) => ReactNode }) {
  return (
    <Read query={query} what={what} {...(lines === undefined ? {} : { lines })}>
      {(stored) => <Held stored={stored} refetch={() => void query.refetch()}>{children}</Held>}
    </Read>
  );
}

function Held<T extends { revision: number }>({ stored, refetch, children }: { stored: T; refetch: () => void; children: (stored: T) => ReactNode }) {
  const [state, report] = useState<EditState>("clean");
  const [held, hold] = useState(stored);
  const [round, again] = useState(0);
  const [isSaved, tell] = useState(false);
  const next = standsOn(held, stored, state);
  if (next !== held) hold(next);
  const isBehind = state === "changed" && stored.revision > next.revision;
  const load = () => {
    report("clean");
    again(round + 1);
    refetch();
  };
  return (
    <EditingContext value={{ report, load, isBehind, isSaved, onSaved: () => { report("clean"); tell(true); } }}>
      {isBehind && (
        <div role="status" className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg border border-warning/40 bg-warning-tint px-3 py-2">
          <Icon name="warning" className="text-warning" />
          <p className="min-w-0 flex-1">Somebody else has saved it while you were writing. What you wrote is still here; it can be saved once you have loaded theirs and made your change again.</p>
          <Button icon="retry" onClick={load}>Load theirs</Button>
        </div>
      )}
      <Fragment key={`${next.revision} ${round}`}>{children(next)}</Fragment>
    </EditingContext>
  );
}
