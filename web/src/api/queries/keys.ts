/**
 * The names under which answers are kept. A name begins with what it is about and its project or run,
 * so that one entry of a journal can make all that hangs on it old (`live/refresh.ts`).
 */
export const keys = {
  me: ["me"] as const,
  projects: ["projects"] as const,
  project: (key: string) => ["projects", key] as const,
  questions: ["questions"] as const,
  /** By the project's key, as it stands in addresses. */
  runs: (project: string) => ["runs", project] as const,
  /** Over all projects: no project has this key. */
  everyRun: ["runs", "*"] as const,
  run: (id: string) => ["run", id] as const,
  /** All that the proof page of a project shows. */
  proof: (project: string) => ["proof", project] as const,
  /** By its number first: a run's journal names it so, without its project. */
  requirement: (id: string) => ["requirement", id] as const,
  /** Cards, columns and what asks for a person. */
  board: (project: string) => ["board", project] as const,
  /** Single issues of a project, with all that their pages show. */
  issues: (project: string) => ["issues", project] as const,
  /** Who did what in a project. */
  audit: (project: string) => ["audit", project] as const,
  /** What was checked of what is stored: no entry makes it old, only a person asks again. */
  checked: (project: string) => ["checked", project] as const,
  /** What was set aside and spent, of whatever: any line may make each sum old. */
  ledger: ["ledger"] as const,
  settings: (project: string) => ["settings", project] as const,
  tokens: ["tokens"] as const,
  workers: ["workers"] as const,
  providers: ["providers"] as const,
};
