import type { Shape } from "@/api/client";
import type { CaptureBody, Gate } from "@/api/queries/proof";

/** The first requirement that is offered, and the gate that proves it. */
export interface Starter {
  gate: string;
  body: CaptureBody;
}

/** The whole suite under the first gate that something can run; null when nothing was found. */
export function starterOf(gates: readonly Gate[], runners: readonly Shape<"Runner">[]): Starter | null {
  const runnable = gates.filter((gate) => gate.how === "automatic" && gate.enabled && gate.runners.length > 0);
  const gate = runnable.find(({ name }) => name === "unit") ?? runnable[0];
  if (gate === undefined) return null;
  const whole = gate.runners.find((runner) => runners.some((found) => found.runner === runner && found.missing.length === 0)) ?? gate.runners[0];
  return {
    gate: gate.name,
    body: {
      title: gate.name === "unit" ? "The test suite passes" : `The gate ${gate.name} holds`,
      description: "No test of the suite fails, and at least one passes. Captured when the project was set up.",
      severity: "high",
      source: "dogfooding",
      gates: [gate.name],
      rules: [{ gate: gate.name, how: "suite", ...(gate.runners.length > 1 && whole !== undefined ? { runner: whole } : {}) }],
    },
  };
}

/** The programs that a policy lets gates start. */
export function allowedBy(policy: Shape<"Policy">): string[] {
  return [...new Set(policy.commands.filter((rule) => rule.decision === "allow").map((rule) => rule.program))];
}
