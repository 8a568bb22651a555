import type { Shape } from "@/api/client";
import type { Worker } from "@/api/queries/workers";
import type { Look } from "@/ui/status";

const STATES: Record<Shape<"WorkerState">, Look> = {
  online: { hue: "good", icon: "check", word: "Online" },
  late: { hue: "warning", icon: "queued", word: "Late" },
  offline: { hue: "bad", icon: "cross", word: "Offline" },
  draining: { hue: "warning", icon: "pause", word: "Draining" },
  revoked: { hue: "neutral", icon: "stop", word: "Revoked" },
};

/** How a worker looks. */
export function lookOf(state: Shape<"WorkerState">): Look {
  return STATES[state];
}

/** Workers in the order in which they matter: those that need a look first, revoked ones last. */
export function ordered(workers: readonly Worker[]): Worker[] {
  const rank: Record<Shape<"WorkerState">, number> = { late: 0, offline: 1, draining: 2, online: 3, revoked: 4 };
  return [...workers].sort((a, b) => rank[a.state] - rank[b.state] || a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** Whose tasks it takes, in words. */
export function serves(worker: Worker, nameOf: (project: string) => string): string {
  if (worker.owner == null) return "everybody's tasks, in all projects";
  const whose = worker.sharing === "personal" ? `${worker.owner.name}'s tasks` : "everybody's tasks";
  const where = worker.projects == null ? "in all projects" : `in ${worker.projects.map(nameOf).join(", ")}`;
  return `${whose}, ${where}`;
}

const PHASES: Record<string, string> = {
  preparing: "preparing",
  running: "running the agent",
  parsing: "reading the answer",
  applying: "applying files",
  submitting: "submitting",
};

/** A phase in words; one that this page does not know is shown as it is. */
export function phaseOf(task: Shape<"ActivityView">): string {
  return task.phase == null ? task.kind : (PHASES[task.phase] ?? task.phase);
}

/** What revoking a worker stops, in words. */
export function stops(worker: Worker): string {
  const count = worker.activity.length + worker.elsewhere;
  if (count === 0) return "It holds no task now.";
  return count === 1 ? "The task it holds stops there and goes to another worker." : `The ${count} tasks it holds stop there and go to other workers.`;
}

/** The time left of a code, as `9:59`; null when there is none left. */
export function left(until: number, now: number): string | null {
  const seconds = Math.floor((until - now) / 1_000);
  return seconds <= 0 ? null : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
