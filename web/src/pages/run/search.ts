import { LEVELS } from "@/live/journal";
import type { Entry } from "@/live/protocol";

/** What of a run's page stands in the address (W2). */
export interface RunSearch {
  /** The timeline when absent. */
  view?: "journal" | "ledger";
  /** The span that is looked at. */
  span?: string;
  /** The line of its output that is linked to. */
  line?: number;
  /** The journal entry that is looked at. */
  entry?: number;
  /** Only entries of these kinds. */
  kind?: readonly string[];
  /** Only entries of this level and those above it. */
  level?: Entry["level"];
}

export function readRunSearch(search: Record<string, unknown>): RunSearch {
  const kinds = (Array.isArray(search.kind) ? search.kind : [search.kind]).filter((kind): kind is string => typeof kind === "string" && /^[a-z_.]{1,60}$/.test(kind));
  const level = LEVELS.find((one) => one === search.level);
  const [line, entry] = [counted(search.line), counted(search.entry)];
  return {
    ...(search.view === "journal" || search.view === "ledger" ? { view: search.view } : {}),
    ...(typeof search.span === "string" && search.span !== "" ? { span: search.span } : {}),
    ...(line === null ? {} : { line }),
    ...(entry === null ? {} : { entry }),
    ...(kinds.length === 0 ? {} : { kind: kinds.slice(0, 40) }),
    ...(level === undefined || level === "debug" ? {} : { level }),
  };
}

/** The search without some of it. */
export function without(search: RunSearch, ...names: (keyof RunSearch)[]): RunSearch {
  return Object.fromEntries(Object.entries(search).filter(([name]) => !names.some((one) => one === name)));
}

function counted(value: unknown): number | null {
  const number = typeof value === "string" ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number > 0 ? number : null;
}
