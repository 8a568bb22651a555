import { expect, test } from "vitest";
import type { Worker } from "@/api/queries/workers";
import { agentsOf, dollars } from "./group";

const worker = (name: string, state: Worker["state"], agents: Partial<Worker["agents"][number]>[]): Worker => ({ name, state, agents }) as unknown as Worker;

// S100: each agent once, with every worker that tells of it.
test("agents are put together over the workers", () => {
  const known = agentsOf([
    worker("den", "online", [{ id: "codex", tested: "1 to below 2", capabilities: ["usage", "resume"] }, { id: "claude" }]),
    worker("attic", "late", [{ id: "codex", tested: "1 to below 3", capabilities: ["usage"] }]),
    worker("gone", "revoked", [{ id: "pi" }]),
  ]);
  expect(known.map((one) => [one.id, one.on.map(({ worker: { name } }) => name), one.tested, one.capabilities])).toEqual([
    ["claude", ["den"], [], []],
    ["codex", ["den", "attic"], ["1 to below 2", "1 to below 3"], ["usage", "resume"]],
  ]);
});

test("prices keep their digits", () => {
  expect(["5.000000000", "0.280000000", "0.500000000", "0.000000000", "10", "100.000000001"].map(dollars)).toEqual(["$5", "$0.28", "$0.50", "$0", "$10", "$100.000000001"]);
});
