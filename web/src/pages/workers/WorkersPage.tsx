import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { keys } from "@/api/queries/keys";
import { projectsQuery } from "@/api/queries/projects";
import { drainWorker, undrainWorker, workersQuery, type Worker } from "@/api/queries/workers";
import { Refusal } from "@/pages/settings/parts";
import { count } from "@/format/number";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Input } from "@/ui/Field";
import { HUES } from "@/ui/status";
import { Icon } from "@/ui/Icon";
import { Commands, Empty, Failed, SkeletonRows } from "@/ui/states";
import { PairDialog } from "./PairDialog";
import { RevokeDialog } from "./RevokeDialog";
import { fitting, STATES } from "./search";
import { lookOf, ordered } from "./words";
import { WorkerCard } from "./WorkerCard";

/** Who works for this plane, and what each does (W27). */
export function WorkersPage() {
  const query = useQuery(workersQuery);
  const [pairing, pair] = useState(false);
  const workers = query.data?.items ?? [];
  const remote = workers.filter((worker) => worker.owner != null && worker.state !== "revoked");
  return (
    <>
      <title>Workers · Proofhouse</title>
      <div className="min-h-0 flex-1 overflow-y-auto" tabIndex={0} role="region" aria-label="Workers">
        <div className="flex flex-wrap items-center gap-3 px-4 py-3">
          <h1 className="text-xl font-semibold">Workers</h1>
          <p className="min-w-0 flex-1 text-soft max-sm:hidden">Processes that claim tasks: one in the server, others where your agents are.</p>
          <Button className="ml-auto" icon="plus" look="primary" onClick={() => pair(true)}>Pair a worker</Button>
        </div>
        {query.data === undefined && query.error === null && <SkeletonRows rows={4} columns={["8rem", "5rem", "14rem"]} label="Loading the workers" />}
        {query.error !== null && query.data === undefined && <Failed what="The workers could not be loaded" error={query.error} busy={query.isFetching} onRetry={() => void query.refetch()} />}
        {query.data !== undefined && (
          <>
            <WorkerList workers={workers} />
            {remote.length === 0 && <Guide onPair={() => pair(true)} />}
          </>
        )}
      </div>
      {pairing && <PairDialog onClose={() => pair(false)} />}
    </>
  );
}

function WorkerList({ workers }: { workers: readonly Worker[] }) {
  const client = useQueryClient();
  const { data: projects } = useQuery(projectsQuery);
  const [ending, end] = useState<Worker | null>(null);
  const drain = useMutation({
    mutationFn: ({ worker, undo }: { worker: Worker; undo: boolean }) => (undo ? undrainWorker(worker) : drainWorker(worker.id)),
    onSettled: () => client.invalidateQueries({ queryKey: keys.workers }),
  });
  const keyOf = (id: string) => projects?.find((project) => project.id === id)?.key ?? id;
  const search = useSearch({ from: "/shell/workers" });
  const navigate = useNavigate({ from: "/workers" });
  const shown = ordered(fitting(workers, search));
  const old = workers.filter((worker) => worker.state === "revoked").length;
  const isOld = search.state === "revoked";
  return (
    <>
      {drain.error !== null && <div className="px-4 pb-3"><Refusal error={drain.error} /></div>}
      {workers.length > FEW && <Filter workers={workers} found={shown.length} />}
      {shown.length === 0 && <p className="border-t border-line px-4 py-3 text-soft">No worker is like that.</p>}
      <ul aria-label="Workers" className="grid min-[1700px]:grid-cols-2 min-[2400px]:grid-cols-3">
        {shown.map((worker) => (
          <WorkerCard
            key={worker.id} worker={worker} keyOf={keyOf}
            draining={drain.isPending && drain.variables.worker.id === worker.id}
            onDrain={() => drain.mutate({ worker, undo: false })}
            onUndrain={() => drain.mutate({ worker, undo: true })}
            onRevoke={() => end(worker)}
          />
        ))}
      </ul>
      {old > 0 && (
        <Button look="quiet" className="m-3" onClick={() => void navigate({ search: isOld ? {} : { state: "revoked" }, replace: true })}>
          {isOld ? "Hide revoked" : `Show ${count(old)} revoked`}
        </Button>
      )}
      {ending !== null && <RevokeDialog worker={workers.find((worker) => worker.id === ending.id) ?? ending} onClose={() => end(null)} />}
    </>
  );
}

/** As many are seen at a glance. */
const FEW = 8;

/** Which of many workers are shown: by how they are, with how many there are, and by their words. */
function Filter({ workers, found }: { workers: readonly Worker[]; found: number }) {
  const search = useSearch({ from: "/shell/workers" });
  const navigate = useNavigate({ from: "/workers" });
  return (
    <div role="search" aria-label="Workers" className="flex flex-wrap items-center gap-1.5 border-t border-line px-4 py-2">
      <Input
        type="search" aria-label="Search workers" placeholder="Name, label or agent" value={search.q ?? ""} maxLength={200} spellCheck={false} className="h-7 w-56! max-sm:w-full!"
        onChange={(event) => {
          const q = event.target.value;
          void navigate({ search: (now) => ({ ...(now.state === undefined ? {} : { state: now.state }), ...(q === "" ? {} : { q }) }), replace: true });
        }}
      />
      {STATES.filter((state) => state !== "revoked").map((state) => {
        const number = workers.filter((worker) => worker.state === state).length;
        const on = search.state === state;
        if (number === 0 && !on) return null;
        const look = lookOf(state);
        return (
          <button
            key={state} type="button" aria-pressed={on}
            onClick={() => void navigate({ search: (now) => ({ ...(on ? {} : { state }), ...(now.q === undefined ? {} : { q: now.q }) }), replace: true })}
            className={cx("num flex h-7 items-center gap-1 rounded-md border px-2 text-sm max-sm:h-9", on ? cx(HUES[look.hue].tint, HUES[look.hue].text, HUES[look.hue].line, "font-medium") : "border-line text-soft hover:border-line-strong")}
          >
            <Icon name={look.icon} size={12} className={HUES[look.hue].text} />
            {look.word} {count(number)}
          </button>
        );
      })}
      <p role="status" className="num ml-auto text-sm text-faint">{count(found)} shown</p>
    </div>
  );
}

function Guide({ onPair }: { onPair: () => void }) {
  return (
    <Empty icon="worker" title="No worker on another machine yet" action={<Button look="primary" icon="plus" onClick={onPair}>Pair a worker</Button>}>
      <p>A worker runs agents where they are installed and signed in, on files that are there. Three steps:</p>
      <ol className="flex list-decimal flex-col gap-2 pl-5">
        <li>Make a code here: it is good once, for ten minutes.</li>
        <li>
          On the other machine, pair with it:
          <Commands lines={[`proofhouse worker pair ${globalThis.location.origin} CODE`]} />
        </li>
        <li>
          Start it there, and name its agents:
          <Commands lines={["proofhouse worker run --agent claude=/usr/local/bin/claude"]} />
        </li>
      </ol>
    </Empty>
  );
}
