import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Run } from "@/api/queries/runs";
import { count } from "@/format/number";
import { visible } from "@/format/text";
import { duration } from "@/format/time";
import type { LiveGate } from "@/live/run";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { useMedia } from "@/ui/media";
import { Empty, SkeletonRows } from "@/ui/states";
import { StatusMark } from "@/ui/Status";
import { HUES, isTerminal } from "@/ui/status";
import { VirtualRows } from "@/ui/VirtualRows";
import { useProof } from "../context";
import { lookOfGate, reasonInWords, type GateState } from "../words";
import { groupsOf, rowsOf, type Counts, type Group } from "./gates";
import { without } from "../search";

const STATES: readonly GateState[] = ["failed", "unproven", "waiting", "running", "pending", "passed"];

interface GateBoardProps {
  gates: readonly LiveGate[];
  counts: Counts;
  run: Run;
  isLoading: boolean;
}

/** One row per requirement and gate, by gate; a folded gate shows its worst member (P81). */
export function GateBoard({ gates, counts, run, isLoading }: GateBoardProps) {
  const [chosen, choose] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [only, setOnly] = useState<GateState | null>(null);
  const narrow = useMedia("(width < 40rem)");
  if (gates.length === 0) {
    if (isLoading || !isTerminal(run.status)) return <SkeletonRows rows={6} columns={["1rem", "4rem", "40%"]} label="Loading gates" />;
    return <NoGates run={run} />;
  }
  // A state that nothing is in any more shows all again.
  const shown = only !== null && counts[only] > 0 ? only : null;
  const rows = rowsOf(groupsOf(gates), chosen, shown);
  const fold = (name: string, open: boolean) => choose((before) => new Map(before).set(name, !open));
  return (
    <section aria-label="Gates" className="flex min-h-0 flex-1 flex-col">
      <div role="group" aria-label="Only these gates" className="flex shrink-0 flex-wrap gap-1 border-b border-line px-4 py-1.5">
        {STATES.map((state) => {
          const look = lookOfGate(state);
          const on = shown === state;
          if (counts[state] === 0) return null;
          return (
            <button
              key={state} type="button" aria-pressed={on} onClick={() => setOnly(on ? null : state)}
              className={cx("num flex h-6 items-center gap-1 rounded-md border px-1.5 text-sm max-sm:h-8", HUES[look.hue].text, on ? cx(HUES[look.hue].tint, HUES[look.hue].line, "font-medium") : "border-line hover:border-line-strong")}
            >
              <Icon name={look.icon} size={12} className={state === "running" ? "spin" : ""} />
              {count(counts[state])} {look.word.toLowerCase()}
            </button>
          );
        })}
      </div>
      <VirtualRows
        label="Gates of the run" keys={false} count={rows.length} height={narrow ? 44 : 34} columns={3}
        keyOf={(at) => keyOf(rows[at], at)}
        row={(at) => {
          const row = rows[at];
          if (row === undefined) return null;
          return row.type === "group" ? <GroupRow group={row.group} open={row.open} onFold={fold} /> : <GateRow gate={row.gate} />;
        }}
      />
    </section>
  );
}

function keyOf(row: ReturnType<typeof rowsOf>[number] | undefined, at: number): string | number {
  if (row === undefined) return at;
  return row.type === "group" ? row.group.gate : `${row.gate.requirement}/${row.gate.gate}`;
}

function GroupRow({ group, open, onFold }: { group: Group; open: boolean; onFold: (gate: string, open: boolean) => void }) {
  const { counts, members, worst } = group;
  const ended = counts.passed + counts.failed + counts.unproven;
  return (
    <div className="flex h-full items-center border-b border-line bg-panel px-4">
      <span role="cell" className="flex min-w-0 flex-1">
        <button type="button" aria-expanded={open} onClick={() => onFold(group.gate, open)} className="flex w-full items-center gap-2 py-1.5 text-left">
          <Icon name={open ? "chevronDown" : "chevronRight"} size={12} className="text-faint" />
          <StatusMark look={lookOfGate(worst)} />
          <span className="font-semibold">{group.gate}</span>
          <span className="num ml-auto text-sm text-soft">
            {count(ended)}/{count(members.length)}
            {counts.failed > 0 && <span className="text-bad"> {count(counts.failed)} failed</span>}
          </span>
        </button>
      </span>
    </div>
  );
}

function GateRow({ gate }: { gate: LiveGate }) {
  const { titleOf } = useProof();
  // A list that is filtered or long does not know them all; the run's own journal does.
  const title = titleOf(gate.requirement) ?? (gate.title === "" ? null : gate.title);
  const look = lookOfGate(gate.state);
  const took = gate.startedAt !== null && gate.finishedAt !== null ? duration(gate.finishedAt - gate.startedAt) : "";
  const ended = gate.state === "failed" || gate.state === "unproven";
  const why = !ended ? "" : gate.message !== "" ? gate.message : reasonInWords(gate.reason);
  const body = (
    <span className="flex items-baseline gap-2">
      <span className="shrink-0 font-mono text-sm text-soft">{gate.requirement}</span>
      <bdi className="min-w-0 truncate">{title === null ? "" : visible(title)}</bdi>
    </span>
  );
  return (
    <div className="flex h-full items-center gap-2.5 border-b border-line pr-4 pl-9 outline-offset-[-2px] outline-accent hover:bg-panel has-[a:focus-visible]:outline-2">
      <span role="cell" className="flex"><StatusMark look={look} /></span>
      <span role="cell" className="min-w-0 flex-1" title={why}>
        {gate.evidence === null ? (
          <Link from="/p/$key/proof" to="/p/$key/proof/$req" params={(before) => ({ ...before, req: gate.requirement })} search={(before) => without(before, "view")} className="block outline-none after:absolute after:inset-0">
            {body}
          </Link>
        ) : (
          <Link from="/p/$key/proof" to="." search={(before) => ({ ...before, evidence: gate.evidence ?? "" })} className="block outline-none after:absolute after:inset-0">
            {body}
          </Link>
        )}
      </span>
      {/* One line: a row that fails does not push the others away. */}
      <span role="cell" className={cx("num max-w-[45%] shrink-0 truncate text-sm", why === "" ? "text-faint" : HUES[look.hue].text)}>
        {why !== "" ? visible(why) : gate.state === "passed" ? took : look.word.toLowerCase()}
      </span>
    </div>
  );
}

function NoGates({ run }: { run: Run }) {
  const { start, openCapture } = useProof();
  const reason = run.proof?.empty_reason;
  return (
    <Empty
      icon="gate" title="No gate was run"
      action={
        reason === "no_requirements" ? (
          <button type="button" className="text-accent underline underline-offset-2" onClick={openCapture}>Capture a requirement</button>
        ) : typeof reason === "string" && reason !== "already_clear" ? (
          <button type="button" className="text-accent underline underline-offset-2" onClick={() => start.start({ mode: "full" })}>Run everything</button>
        ) : undefined
      }
    >
      <p>{typeof run.proof?.message === "string" && run.failure == null ? visible(run.proof.message) : "The run ended before any gate was chosen."}</p>
    </Empty>
  );
}
