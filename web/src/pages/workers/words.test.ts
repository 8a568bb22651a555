import { expect, test } from "vitest";
import type { Worker } from "@/api/queries/workers";
import { fitting, readWorkersSearch } from "./search";
import { left, ordered, phaseOf, serves, stops } from "./words";

function worker(over: Partial<Worker>): Worker {
  return {
    id: "w", name: "den", owner: { id: "p", name: "Ada" }, sharing: "personal", projects: null, platform: "linux x86_64",
    version: "0.1.0", protocol: 1, labels: [], offers: [], agents: [], slots: 1, state: "online", last_seen: "", last_error: null,
    outbox: { items: 0, bytes: 0 }, paired_at: "", revoked_at: null, pairing: null, revision: 1, may_change: true, activity: [],
    elsewhere: 0, ...over,
  };
}

test("what needs a look comes first, what is over last", () => {
  const all = (["revoked", "online", "offline", "draining", "late"] as const).map((state) => worker({ state, name: state }));
  expect(ordered(all).map((one) => one.name)).toEqual(["late", "offline", "draining", "online", "revoked"]);
});

test("numbers in names are numbers", () => {
  expect(ordered(["host-10", "host-9"].map((name) => worker({ name }))).map((one) => one.name)).toEqual(["host-9", "host-10"]);
});

test("workers are found by their words and how they are; revoked ones only by name of it", () => {
  const all = [worker({ name: "den" }), worker({ name: "attic", state: "offline", offers: ["gpu", "os:linux"] }), worker({ name: "old", state: "revoked" })];
  const names = (search: Parameters<typeof fitting>[1]) => fitting(all, search).map((one) => one.name);
  expect([names({}), names({ q: "GPU linux" }), names({ state: "revoked" }), names({ state: "online", q: "gpu" })]).toEqual([["den", "attic"], ["attic"], ["old"], []]);
  expect(readWorkersSearch({ state: "asleep", q: 7 })).toEqual({ q: "7" });
});

test("whom a worker serves is said in words", () => {
  const name = (id: string) => ({ a: "shop", b: "site" })[id] ?? id;
  expect(serves(worker({}), name)).toBe("Ada's tasks, in all projects");
  expect(serves(worker({ sharing: "project", projects: ["a", "b"] }), name)).toBe("everybody's tasks, in shop, site");
  expect(serves(worker({ owner: null }), name)).toBe("everybody's tasks, in all projects");
});

test("revoking says what it stops", () => {
  expect(stops(worker({}))).toMatch(/no task/);
  expect(stops(worker({ elsewhere: 1 }))).toMatch(/^The task/);
  expect(stops(worker({ elsewhere: 3 }))).toMatch(/^The 3 tasks/);
});

test("an unknown phase is shown as it is", () => {
  const task = { task: "t", run: "r", run_kind: "probe", project: "p", kind: "probe", subject: "", attempt: 1, since: "", phase_since: null, step: null, quiet: false };
  expect(phaseOf({ ...task, phase: "running" })).toBe("running the agent");
  expect(phaseOf({ ...task, phase: "polishing" })).toBe("polishing");
  expect(phaseOf({ ...task, phase: null })).toBe("probe");
});

test("a code counts down to its end", () => {
  expect(left(600_000, 0)).toBe("10:00");
  expect(left(61_500, 0)).toBe("1:01");
  expect(left(1_000, 1_000)).toBeNull();
});
