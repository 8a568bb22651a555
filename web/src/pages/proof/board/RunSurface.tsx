import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { keys } from "@/api/queries/keys";
import { runGatesQuery } from "@/api/queries/proof";
import type { Run } from "@/api/queries/runs";
import { visible } from "@/format/text";
import { instant } from "@/format/time";
import { useLiveRun, useLiveStatus } from "@/live/hooks";
import { Remarks } from "@/pages/run/Remarks";
import { RunActions } from "@/pages/run/RunActions";
import { shownRun } from "@/pages/run/shown";
import { Icon } from "@/ui/Icon";
import { Progress } from "@/ui/Progress";
import { StatusBadge } from "@/ui/Status";
import { isTerminal, lookOfRun } from "@/ui/status";
import { Ago, Took } from "@/ui/Time";
import { useProof } from "../context";
import { nameOf } from "../words";
import { Announce } from "./Announce";
import { Banner } from "./Banner";
import { GateBoard } from "./GateBoard";
import { countsOf, gateFromRow } from "./gates";
import { RunningCommands } from "./RunningCommands";

/** A run as it goes: where it stands, what runs now, every gate; and how it ended. */
export function RunSurface({ read }: { read: Run }) {
  const { project } = useProof();
  const client = useQueryClient();
  const navigate = useNavigate({ from: "/p/$key/proof" });
  const told = useLiveRun(read.id);
  const run = shownRun(read, told);
  const done = isTerminal(run.status);
  const look = lookOfRun(run.status, run.verdict);
  const connection = useLiveStatus().state;
  // The journal of an old run may be past its retention: its rows are kept.
  const isCut = (told?.index.before ?? 0) > 0;
  const rows = useQuery({ ...runGatesQuery(run.id), enabled: isCut });
  const gates = useMemo(() => (isCut && rows.data !== undefined ? rows.data.map(gateFromRow) : [...(told?.gates.values() ?? [])]), [isCut, rows.data, told?.gates]);
  const counts = useMemo(() => countsOf(gates), [gates]);
  const isLost = !done && connection === "reconnecting";
  return (
    <>
      {/* How many entries have been told, each once: what a test of lost connections counts. */}
      <header data-entries={told?.index.length ?? 0} className="flex shrink-0 flex-col gap-2 border-b border-line px-4 py-3">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
          {!done && <StatusBadge look={look} {...(run.cancelling ? { word: "Cancelling" } : {})} />}
          {!done && run.phase !== "" && <span className="text-soft">{visible(run.phase)}</span>}
          {isLost && (
            <span className="flex items-center gap-1 text-sm text-warning">
              <Icon name="warning" size={13} /> not live
            </span>
          )}
          <span className="num text-soft">{run.started_at == null ? "not started" : <Took from={instant(run.started_at)} to={run.finished_at == null ? null : instant(run.finished_at)} />}</span>
          <span className="ml-auto text-sm text-faint">
            <Ago at={run.created_at} /> by {visible(nameOf(run.created_by))}{" "}
            <Link to="/p/$key/runs/$run" params={{ key: project, run: run.id }} className="underline underline-offset-2 hover:text-ink" title="Timeline and journal of this run">
              timeline
            </Link>
          </span>
        </div>
        {!done && (
          <div className="flex flex-col gap-1">
            <Progress {...run.progress} hue={look.hue} going />
          </div>
        )}
        {done && <Banner run={run} said={told?.message ?? ""} isRead={isTerminal(read.status)} />}
        {told !== null && <Remarks run={run.id} project={project} remarks={told.remarks} notes={run.proof?.notes ?? []} />}
        <RunActions
          run={run} project={project}
          onRetried={() => {
            // The new run is the active one: it shows beside the table by itself.
            void client.invalidateQueries({ queryKey: keys.proof(project) });
            void navigate({ to: "/p/$key/proof", params: { key: project }, search: (before) => before });
          }}
        />
      </header>
      <Announce run={run} counts={counts} />
      {!done && told !== null && <RunningCommands told={told} />}
      <GateBoard gates={gates} counts={counts} run={run} isLoading={told === null || (told.seq === 0 && !done)} />
    </>
  );
}
