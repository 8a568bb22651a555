import { describe, expect, test } from "vitest";
import { changesOf, differing, lessIn, missingIn, rebased, type Edit } from "./edit";

const BASE: Edit = {
  title: "Totals add up", description: "They did not.", severity: "medium", kind: "logic", source: "qa", where: "file: src/total.rs\nroute: /basket", url: "https://example.org/1", issue: "7",
  gates: [
    { gate: "unit", rules: [{ id: "REQ-0001.unit.1", how: "test", test: "adds_up", runner: null, counts: true }, { id: "REQ-0001.unit.2", how: "suite", test: "", runner: null, counts: false }] },
    { gate: "e2e", rules: [{ id: "REQ-0001.e2e.1", how: "suite", test: "", runner: null, counts: true }] },
  ],
};
const unit = BASE.gates.slice(0, 1);
const withRules = (rules: Edit["gates"][number]["rules"]): Edit => ({ ...BASE, gates: [{ gate: "unit", rules }, ...BASE.gates.slice(1)] });
const [adds, whole] = BASE.gates[0]?.rules ?? [];

// P12: only what was changed is sent.
test("only what was changed is sent", () => {
  expect(changesOf(BASE, BASE)).toEqual({});
  expect(changesOf(BASE, { ...BASE, title: " Sums ", severity: "high" })).toEqual({ title: "Sums", severity: "high" });
  expect(changesOf(BASE, { ...BASE, where: "tag: money" })).toEqual({ where: "tag: money" });
  expect(changesOf(BASE, { ...BASE, where: " " })).toEqual({ scope: { files: [], routes: [], apis: [], components: [], tags: [] } });
  expect(changesOf(BASE, { ...BASE, url: "" })).toEqual({ source_url: null });
  expect([changesOf(BASE, { ...BASE, issue: " 8" }), changesOf(BASE, { ...BASE, issue: "" })]).toEqual([{ issue: "8" }, { issue: null }]);
  expect(changesOf(BASE, { ...BASE, gates: [...BASE.gates, { gate: "demo", rules: [] }] })).toEqual({ gates: ["unit", "e2e", "demo"] });
  if (adds === undefined || whole === undefined) throw new Error("the base has two rules");
  expect(changesOf(BASE, withRules([adds, { ...whole, counts: true }]))).toEqual({
    rules: [{ gate: "unit", how: "test", test: "adds_up", must_pass: true }, { gate: "unit", how: "suite", must_pass: true }],
  });
});

// P12: each way to ask for less is told before it is saved; what asks for more is not.
describe("asking for less", () => {
  if (adds === undefined || whole === undefined) throw new Error("the base has two rules");
  test.each([
    ["a gate gone", { ...BASE, gates: unit }, "e2e", "no longer asked for"],
    ["a rule gone", withRules([whole]), "unit", "adds_up is no longer asked for"],
    ["another test", withRules([{ ...adds, test: "adds" }, whole]), "unit", "replaced"],
    ["not judged", withRules([{ ...adds, counts: false }, whole]), "unit", "no longer counts"],
  ] as const)("%s is named", (_, edit, gate, words) => {
    const less = lessIn(BASE, edit);
    expect(less).toHaveLength(1);
    expect(less[0]?.gate).toBe(gate);
    expect(less[0]?.words).toContain(words);
  });
  test("is not what adds, or drops what never counted", () => {
    expect(lessIn(BASE, { ...BASE, title: "x", gates: [...BASE.gates, { gate: "demo", rules: [] }] })).toEqual([]);
    expect(lessIn(BASE, withRules([adds]))).toEqual([]);
    expect(lessIn(BASE, withRules([adds, { ...whole, counts: true }]))).toEqual([]);
  });
  test("needs a reason", () => {
    const less = { ...BASE, gates: unit };
    expect(missingIn(BASE, less, " ")).toBe("Say why less is asked for");
    expect(missingIn(BASE, less, "covered by unit")).toBeNull();
    expect(missingIn(BASE, { ...BASE, gates: [] }, "x")).toContain("at least one gate");
    expect(missingIn(BASE, withRules([whole]), "x")).toContain("Leave a rule of unit");
    expect(missingIn(BASE, BASE, "x")).toBe("Nothing was changed");
  });
});

// P12: of two changes at once, neither is lost: theirs stay where I wrote nothing.
test("what was written goes on top of what another changed", () => {
  const mine = { ...BASE, title: "Mine" };
  const theirs = { ...BASE, title: "Theirs", severity: "critical" as const };
  const now = rebased(BASE, theirs, mine);
  expect([now.title, now.severity]).toEqual(["Mine", "critical"]);
  expect(differing(theirs, now)).toEqual(["title"]);
});
