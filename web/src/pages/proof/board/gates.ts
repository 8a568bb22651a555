import type { Shape } from "@/api/client";
import type { LiveGate } from "@/live/run";
import type { GateState } from "../words";

/** Worst first: what a folded group shows (P81). */
const WORST: readonly GateState[] = ["failed", "unproven", "waiting", "running", "pending", "passed"];

export type Counts = Record<GateState, number>;

export interface Group {
  gate: string;
  members: readonly LiveGate[];
  counts: Counts;
  worst: GateState;
}

export function noCounts(): Counts {
  return { failed: 0, unproven: 0, waiting: 0, running: 0, pending: 0, passed: 0 };
}

/** How many gates stand how. */
export function countsOf(gates: Iterable<LiveGate>): Counts {
  const counts = noCounts();
  for (const { state } of gates) counts[state] += 1;
  return counts;
}

/** The worst that is there; pending when nothing is. */
export function worstOf(counts: Counts): GateState {
  return WORST.find((state) => counts[state] > 0) ?? "pending";
}

/** A run's gates by name, in the order that they were planned: nothing moves while it goes on. */
export function groupsOf(gates: Iterable<LiveGate>): Group[] {
  const byName = new Map<string, LiveGate[]>();
  for (const gate of gates) {
    const members = byName.get(gate.gate);
    if (members === undefined) byName.set(gate.gate, [gate]);
    else members.push(gate);
  }
  return [...byName].map(([gate, members]) => {
    const counts = countsOf(members);
    return { gate, members, counts, worst: worstOf(counts) };
  });
}

export type BoardRow = { type: "group"; group: Group; open: boolean } | { type: "gate"; gate: LiveGate };

/** Below this many rows every group is open by itself. */
const FEW = 40;

/** The rows of the board. Groups with something to look at are open unless a person folded them. */
export function rowsOf(groups: readonly Group[], chosen: ReadonlyMap<string, boolean>, only: GateState | null): BoardRow[] {
  const total = groups.reduce((sum, group) => sum + group.members.length, 0);
  const rows: BoardRow[] = [];
  for (const group of groups) {
    const members = only === null ? group.members : group.members.filter((gate) => gate.state === only);
    if (members.length === 0) continue;
    const open = chosen.get(group.gate) ?? (only !== null || total <= FEW || group.worst === "failed" || groups.length === 1);
    rows.push({ type: "group", group, open });
    if (open) for (const gate of members) rows.push({ type: "gate", gate });
  }
  return rows;
}

/** A run's gate as the API lists it, in the shape that its journal tells. */
export function gateFromRow(row: Shape<"RunGate">): LiveGate {
  return {
    requirement: row.requirement, title: row.title, gate: row.gate, waived: false, state: row.state, message: row.message, reason: row.reason ?? "",
    evidence: row.evidence ?? null, startedAt: null, finishedAt: row.finished_at == null ? null : Date.parse(row.finished_at),
  };
}
