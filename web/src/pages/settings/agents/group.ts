import type { Shape } from "@/api/client";
import type { Worker } from "@/api/queries/workers";

type WorkerAgent = Shape<"WorkerAgent">;

/** An agent with the workers that tell of it. */
export interface Known {
  id: string;
  /** Ranges that were tested; more than one where workers are of different versions. */
  tested: readonly string[];
  capabilities: readonly Shape<"Capability">[];
  on: readonly { worker: Worker; agent: WorkerAgent }[];
}

/** Every agent by name, each with its workers; revoked workers tell nothing any more. */
export function agentsOf(workers: readonly Worker[]): Known[] {
  const found = new Map<string, { worker: Worker; agent: WorkerAgent }[]>();
  for (const worker of workers) {
    if (worker.state === "revoked") continue;
    for (const agent of worker.agents) found.set(agent.id, [...(found.get(agent.id) ?? []), { worker, agent }]);
  }
  const known = [...found].map(([id, on]) => ({
    id,
    on,
    tested: [...new Set(on.flatMap(({ agent }) => (agent.tested == null ? [] : [agent.tested])))],
    capabilities: [...new Set(on.flatMap(({ agent }) => agent.capabilities ?? []))],
  }));
  return known.sort((a, b) => a.id.localeCompare(b.id));
}

const CAN: Readonly<Record<Shape<"Capability">, string>> = {
  resume: "goes on with a session",
  palette: "keeps to a set of tools",
  host_tools: "uses the plane's tools",
  approvals: "asks for leave",
  usage: "says what it used",
  steer: "takes messages as it works",
  interrupt: "stops when asked",
};

/** What an agent can do, in words. */
export function canOf(capability: Shape<"Capability">): string {
  return CAN[capability];
}

/** `5.000000000` as `$5`, `0.500000000` as `$0.50`: decimal text, so that nothing is rounded. */
export function dollars(text: string): string {
  const [whole = "", rest = ""] = text.split(".");
  const cents = rest.replace(/0+$/, "");
  return cents === "" ? `$${whole}` : `$${whole}.${cents.padEnd(2, "0")}`;
}
