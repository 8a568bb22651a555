import type { DispatchConfig } from "@/api/queries/dispatch";

export type Apply = "worktree" | "in_place" | "none";

/** What a person has chosen so far; blank is left open. */
export interface Draft {
  role: string;
  agent: string;
  model: string;
  worker: string;
  apply: Apply;
  base: string;
  instructions: string;
  prove: boolean;
}

/** The request: what is left open is not in it, so that role and project decide. */
export function configOf(draft: Draft, force: boolean): DispatchConfig {
  const texts = (["role", "agent", "model", "worker", "base", "instructions"] as const).filter((name) => draft[name].trim() !== "").map((name) => [name, draft[name].trim()] as const);
  return {
    ...Object.fromEntries(texts),
    apply: draft.apply,
    ...(draft.prove ? { prove: true } : {}),
    ...(force ? { force: true } : {}),
  };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** The agents that a policy allows. */
export function agentsOf(policy: unknown): string[] {
  const { agents } = record(policy);
  return Array.isArray(agents) ? agents.filter((agent): agent is string => typeof agent === "string") : [];
}

/** Where a policy lets results go; null where it does not say. */
export function applyOf(policy: unknown): string[] | null {
  const { apply } = record(record(policy).dispatch);
  return Array.isArray(apply) ? apply.filter((one): one is string => typeof one === "string") : null;
}
