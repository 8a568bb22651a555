import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matching } from "./journal";
import type { Entry, StreamId } from "./protocol";
import { emptyRun, progressOf, reduceRun, TAIL } from "./run";
import { rowsOf } from "./spans";

const STREAM: StreamId = "run:01a1fceb-b432-76cb-973e-69c4f514d8c7";
const COMMAND = "command:c1/1";

let next = 0;
function entry(kind: string, data: Record<string, unknown>, more: Partial<Entry> = {}): Entry {
  next += 1;
  return { stream: STREAM, seq: next, at: new Date(1_000 * next).toISOString(), kind, level: "info", data, ...more };
}

/** The journal of a proof run of three gates, one of which a person looks at. */
function journal(): Entry[] {
  next = 0;
  return [
    entry("run.created", { kind: "proof", trigger: "person" }, { span: STREAM, edge: "open" }),
    entry("run.planned", { gates: [{ requirement: "REQ-1", gate: "unit" }, { requirement: "REQ-2", gate: "unit", waived: true }, { requirement: "REQ-2", gate: "manual" }] }),
    entry("run.status", { from: "queued", to: "running" }),
    entry("run.phase", { from: "selecting", to: "gates" }),
    entry("question.asked", { question: "q", subject: "REQ-2/manual" }),
    entry("command.started", { argv: ["make", "test"], gates: ["REQ-1/unit", "REQ-2/unit"] }, { span: COMMAND, parent: STREAM, edge: "open" }),
    entry("gate.started", { requirement: "REQ-1", gate: "unit" }, { span: "gate:f514d8c7/REQ-1/unit", parent: STREAM, edge: "open" }),
    entry("command.output", { text: "hello\n" }, { span: COMMAND }),
    entry("command.output", { text: "world\n" }, { span: COMMAND }),
    entry("command.finished", { exit_code: 1, end: { kind: "exited", code: 1 } }, { span: COMMAND, edge: "close" }),
    entry("gate.finished", { requirement: "REQ-1", gate: "unit", verdict: "failed", message: "exit code 1", evidence: "e1" }, { span: "gate:f514d8c7/REQ-1/unit", parent: STREAM, edge: "close", level: "error" }),
    entry("gate.finished", { requirement: "REQ-2", gate: "unit", verdict: "passed" }, { span: "gate:f514d8c7/REQ-2/unit", parent: STREAM, edge: "close" }),
    entry("run.status", { from: "running", to: "waiting" }),
    entry("run.finished", { status: "completed", verdict: "failed", message: "1 of 3" }),
  ];
}

// W1: how entries are cut into batches is nobody's business.
test("a run is what its entries say, however they are cut into batches", () => {
  const entries = journal();
  const whole = reduceRun(emptyRun(), entries);
  fc.assert(
    fc.property(fc.array(fc.nat(entries.length)), (places) => {
      const cuts = [0, ...places.sort((a, b) => a - b), entries.length];
      const run = cuts.reduce((before, cut, at) => reduceRun(before, entries.slice(cut, cuts[at + 1])), emptyRun());
      expect({ ...run, index: null }).toEqual({ ...whole, index: null });
      expect(run.index.length).toBe(whole.index.length);
      expect(run.index.kinds).toEqual(whole.index.kinds);
    }),
  );
});

test("a finished run tells its end, its gates and its progress", () => {
  const run = reduceRun(emptyRun(), journal());
  expect(run).toMatchObject({ status: "completed", verdict: "failed", phase: "gates", startedAt: 3_000, finishedAt: 14_000 });
  expect([...run.gates.values()].map(({ state, waived }) => [state, waived])).toEqual([["failed", false], ["passed", true], ["waiting", false]]);
  expect(progressOf(run)).toEqual({ total: 3, done: 2, failed: 1 });
});

test("output of a running command is kept at its end, and dropped when the command has ended", () => {
  const entries = journal();
  expect(reduceRun(emptyRun(), entries.slice(0, 9)).output.get(COMMAND)).toBe("hello\nworld\n");
  expect(reduceRun(emptyRun(), entries).output.size).toBe(0);
  const much = entry("command.output", { text: "x".repeat(TAIL + 10) }, { span: COMMAND });
  expect(reduceRun(emptyRun(), [much]).output.get(COMMAND)).toHaveLength(TAIL);
});

describe("the tree", () => {
  test("has gates beneath the command that is for them, in the order of time", () => {
    const rows = rowsOf(reduceRun(emptyRun(), journal()).spans, new Set());
    expect(rows.map(({ span, depth }) => [depth, span.label, span.end])).toEqual([
      [0, "proof run", "failed"],
      [1, "make test", "exit 1"],
      // This one's start was never told: it begins with its command.
      [2, "REQ-2 unit", "passed"],
      [2, "REQ-1 unit", "failed"],
    ]);
    expect(rowsOf(reduceRun(emptyRun(), journal()).spans, new Set([COMMAND]))).toHaveLength(2);
  });

  test("ends also where a journal's spans go round in circles", () => {
    next = 0;
    const circle = [
      entry("x.started", {}, { span: "x:a", parent: "x:b", edge: "open" }),
      entry("x.started", {}, { span: "x:b", parent: "x:a", edge: "open" }),
    ];
    expect(rowsOf(reduceRun(emptyRun(), circle).spans, new Set()).length).toBeLessThan(50);
  });
});

describe("the index", () => {
  test("finds entries by kind and level, by their numbers", () => {
    const { index } = reduceRun(emptyRun(), journal());
    expect(matching(index, new Set(), "debug")).toBeNull();
    expect([...(matching(index, new Set(["command.output"]), "debug") ?? [])]).toEqual([8, 9]);
    expect([...(matching(index, new Set(), "error") ?? [])]).toEqual([11]);
    expect([...(matching(index, new Set(["no.such"]), "debug") ?? [])]).toEqual([]);
  });

  // Two runs that share a past do not write into each other.
  test("of an earlier version is not changed by two that follow it", () => {
    next = 0;
    const past = reduceRun(emptyRun(), [entry("a.a", {})]);
    const [one, other] = [entry("b.b", {}), { ...entry("c.c", {}), seq: 2 }];
    const left = reduceRun(past, [one]).index;
    const right = reduceRun(past, [other]).index;
    expect([...(matching(left, new Set(["b.b"]), "debug") ?? [])]).toEqual([2]);
    expect([...(matching(right, new Set(["c.c"]), "debug") ?? [])]).toEqual([2]);
    expect([...(matching(left, new Set(["c.c"]), "debug") ?? [])]).toEqual([]);
  });
});
