import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LiveGate } from "@/live/run";
import { countsOf, groupsOf, rowsOf, worstOf } from "./gates";

const states = ["failed", "unproven", "waiting", "running", "pending", "passed"] as const;

function gate(requirement: string, name: string, state: LiveGate["state"]): LiveGate {
  return { requirement, title: "", gate: name, waived: false, state, message: "", reason: "", evidence: null, startedAt: null, finishedAt: null };
}

describe("the board", () => {
  // P81: a folded gate shows failed over unproven over running over pending over passed, never the latest.
  test("a group shows its worst member, whatever their order", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...states), { minLength: 1 }), (members) => {
        const worst = worstOf(countsOf(members.map((state, at) => gate(`REQ-${at}`, "unit", state))));
        const shuffled = worstOf(countsOf([...members].reverse().map((state, at) => gate(`REQ-${at}`, "unit", state))));
        expect(shuffled).toBe(worst);
        expect(states.indexOf(worst)).toBe(Math.min(...members.map((state) => states.indexOf(state))));
      }),
    );
  });

  // W1: nothing moves while a run goes on.
  test("rows stay where they are when a gate ends", () => {
    const before = [gate("REQ-1", "unit", "running"), gate("REQ-2", "unit", "pending"), gate("REQ-1", "e2e", "pending")];
    const after = before.map((one, at) => (at === 1 ? { ...one, state: "failed" as const } : one));
    const names = (gates: LiveGate[]) => rowsOf(groupsOf(gates), new Map(), null).map((row) => (row.type === "group" ? row.group.gate : `${row.gate.requirement}/${row.gate.gate}`));
    expect(names(after)).toEqual(names(before));
  });

  test("a long run is folded but for what failed, and a person's choice outranks that", () => {
    const gates = Array.from({ length: 100 }, (_, at) => gate(`REQ-${at}`, at < 50 ? "unit" : "e2e", at === 60 ? "failed" : "passed"));
    const groups = groupsOf(gates);
    const open = (chosen: ReadonlyMap<string, boolean>) => rowsOf(groups, chosen, null).filter((row) => row.type === "group").map((row) => row.open);
    expect(open(new Map())).toEqual([false, true]);
    expect(open(new Map([["unit", true], ["e2e", false]]))).toEqual([true, false]);
    expect(rowsOf(groups, new Map(), "failed").filter((row) => row.type === "gate")).toHaveLength(1);
  });
});
