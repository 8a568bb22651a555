import type { Shape } from "@/api/client";
import { emptyIndex, withEntries, type JournalIndex } from "./journal";
import { list, object, text, type Entry } from "./protocol";
import { withRemarks, type Remark } from "./remarks";
import { withSpans, type Spans } from "./spans";

/** A gate of a proof run, as its journal tells it. */
export interface LiveGate {
  requirement: string;
  /** What it was called when the run took it on; empty in journals of older versions. */
  title: string;
  gate: string;
  waived: boolean;
  state: "pending" | "running" | "waiting" | Shape<"Verdict">;
  message: string;
  /** Why it did not pass, in the API's word; empty otherwise. */
  reason: string;
  evidence: string | null;
  startedAt: number | null;
  finishedAt: number | null;
}

/** What the journal of a run has told so far. */
export interface LiveRun {
  /** Null until the journal has said it. */
  status: Shape<"RunStatus"> | null;
  phase: string;
  verdict: string | null;
  message: string;
  cancelling: boolean;
  /** What its agent said last that it does. */
  step: string;
  createdAt: number | null;
  startedAt: number | null;
  finishedAt: number | null;
  /** By `REQUIREMENT/GATE`, in the order that they were planned. */
  gates: ReadonlyMap<string, LiveGate>;
  /** The questions that it waited for, also those that another run asked: by their ids, ended ones too. */
  asked: ReadonlySet<string>;
  spans: Spans;
  /** The end of what each command has printed, by its span: at most {@link TAIL} characters. */
  output: ReadonlyMap<string, string>;
  index: JournalIndex;
  /** Notes and warnings. */
  remarks: readonly Remark[];
  /** The number and time of the newest entry. */
  seq: number;
  at: number | null;
}

/** As much of a running command's output is kept here; the whole is an artifact when it has ended. */
export const TAIL = 64_000;

export function emptyRun(before = 0): LiveRun {
  return {
    status: null, phase: "", verdict: null, message: "", cancelling: false, step: "",
    createdAt: null, startedAt: null, finishedAt: null,
    gates: new Map(), asked: new Set(), spans: new Map(), output: new Map(), index: emptyIndex(before), remarks: [], seq: before, at: null,
  };
}

/** What a run is after some more of its entries, which follow those before without a hole. */
export function reduceRun(run: LiveRun, entries: readonly Entry[]): LiveRun {
  const newest = entries.at(-1);
  if (newest === undefined) return run;
  const next: LiveRun = {
    ...run,
    spans: withSpans(run.spans, entries),
    index: withEntries(run.index, entries),
    remarks: withRemarks(run.remarks, entries),
    seq: newest.seq,
    at: Date.parse(newest.at),
  };
  const gates = new Draft(run.gates);
  const output = new Draft(run.output);
  for (const entry of entries) tell(next, entry, gates, output);
  next.gates = gates.map;
  next.output = output.map;
  return next;
}

/** A map that is copied at its first change. */
class Draft<K, V> {
  map: ReadonlyMap<K, V>;
  #own: Map<K, V> | null = null;
  constructor(map: ReadonlyMap<K, V>) {
    this.map = map;
  }
  set(key: K, value: V): void {
    this.#own ??= new Map(this.map);
    this.map = this.#own.set(key, value);
  }
  delete(key: K): void {
    if (!this.map.has(key)) return;
    this.#own ??= new Map(this.map);
    this.#own.delete(key);
    this.map = this.#own;
  }
}

function tell(run: LiveRun, { kind, at, data, span }: Entry, gates: Draft<string, LiveGate>, output: Draft<string, string>): void {
  const time = Date.parse(at);
  switch (kind) {
    case "run.created":
      run.status = "queued";
      run.createdAt = time;
      break;
    case "run.status":
      run.status = statusOf(text(data, "to")) ?? run.status;
      if (run.status === "running") run.startedAt ??= time;
      break;
    case "run.phase":
      run.phase = text(data, "to");
      break;
    case "run.cancelling":
      run.cancelling = true;
      break;
    case "task.step":
      run.step = text(data, "step");
      break;
    case "run.planned":
      for (const planned of list(data, "gates").map(object)) {
        const [requirement, gate] = [text(planned, "requirement"), text(planned, "gate")];
        gates.set(`${requirement}/${gate}`, {
          requirement, title: text(planned, "title"), gate, waived: planned.waived === true,
          state: "pending", message: "", reason: "", evidence: null, startedAt: null, finishedAt: null,
        });
      }
      break;
    case "gate.started":
      change(gates, data, { state: "running", startedAt: time });
      break;
    case "question.asked": {
      run.asked = new Set([...run.asked, text(data, "question")]);
      const known = gates.map.get(text(data, "subject"));
      if (known !== undefined) gates.set(text(data, "subject"), { ...known, state: "waiting", startedAt: known.startedAt ?? time });
      break;
    }
    case "gate.finished":
      change(gates, data, {
        state: verdictOf(text(data, "verdict")),
        message: text(data, "message"),
        reason: text(data, "reason"),
        evidence: text(data, "evidence") || null,
        finishedAt: time,
      });
      break;
    case "command.output":
      if (span !== undefined) output.set(span, ((output.map.get(span) ?? "") + text(data, "text")).slice(-TAIL));
      break;
    case "command.finished":
      // Its whole output can be read from now on.
      if (span !== undefined) output.delete(span);
      break;
    case "run.finished":
      run.status = statusOf(text(data, "status")) ?? run.status;
      run.verdict = text(data, "verdict") || null;
      run.message = text(data, "message");
      run.finishedAt = time;
      break;
  }
}

function change(gates: Draft<string, LiveGate>, data: Entry["data"], to: Partial<LiveGate>): void {
  const [requirement, gate] = [text(data, "requirement"), text(data, "gate")];
  const key = `${requirement}/${gate}`;
  const known = gates.map.get(key) ?? {
    requirement, title: "", gate, waived: false, state: "pending", message: "", reason: "", evidence: null, startedAt: null, finishedAt: null,
  };
  gates.set(key, { ...known, ...to });
}

const STATUSES: readonly Shape<"RunStatus">[] = ["queued", "running", "waiting", "paused", "completed", "failed", "cancelled"];

function statusOf(text: string): Shape<"RunStatus"> | null {
  return STATUSES.find((status) => status === text) ?? null;
}

function verdictOf(text: string): Shape<"Verdict"> {
  return text === "passed" || text === "failed" ? text : "unproven";
}

/** How many gates have ended, of how many. */
export function progressOf(run: LiveRun): { total: number; done: number; failed: number } {
  let [done, failed] = [0, 0];
  for (const { state } of run.gates.values()) {
    if (state === "passed" || state === "failed" || state === "unproven") done += 1;
    if (state === "failed") failed += 1;
  }
  return { total: run.gates.size, done, failed };
}
