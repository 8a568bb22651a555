import type { Shape } from "@/api/client";
import type { RequirementFilter } from "@/api/queries/proof";

/** What lies beside the table. */
export type View = "gates" | "check" | "history";

/** What of the proof page stands in the address (W2). */
export interface ProofSearch extends RequirementFilter {
  view?: View;
  /** The evidence that is looked at. */
  evidence?: string;
  /** The ref that the merge check asks about; the checkout without it. */
  ref?: string;
  capture?: true;
  /** The run that a capture begins with. */
  from?: string;
}

export const STATUSES: readonly Shape<"Status">[] = ["open", "satisfied", "waived"];
export const SEVERITIES: readonly Shape<"Severity">[] = ["critical", "high", "medium", "low"];
export const KINDS: readonly Shape<"Kind">[] = ["logic", "integration", "wiring", "layout", "a11y", "perf", "security"];
export const VERDICTS: readonly Shape<"Verdict">[] = ["failed", "unproven", "passed"];
export const SORTS = ["id", "-id", "severity", "status", "title"] as const;
const VIEWS: readonly View[] = ["gates", "check", "history"];

export function readProofSearch(search: Record<string, unknown>): ProofSearch {
  const word = (name: string, most: number) => {
    // A search for `12` comes as a number.
    const value = typeof search[name] === "number" ? String(search[name]) : search[name];
    return typeof value === "string" && value.trim() !== "" ? { [name]: value.slice(0, most) } : {};
  };
  const one = <T extends string>(name: string, of: readonly T[]) => {
    const found = of.find((known) => known === search[name]);
    return found === undefined ? {} : { [name]: found };
  };
  const some = <T extends string>(name: string, of: readonly T[]) => {
    const value = search[name];
    const asked: unknown[] = Array.isArray(value) ? value : typeof value === "string" ? value.split(",") : [];
    const known = of.filter((member) => asked.includes(member));
    return known.length === 0 || known.length === of.length ? {} : { [name]: known };
  };
  const run = (id: unknown) => (typeof id === "string" && /^[0-9a-f-]{36}$/.test(id) ? { from: id } : {});
  const issue = (of: unknown) => (/^[1-9]\d{0,8}$/.test(String(of)) ? { issue: String(of) } : {});
  const flag = (name: string) => (search[name] === true ? { [name]: true } : {});
  return {
    ...word("q", 200), ...issue(search.issue), ...some("status", STATUSES), ...some("severity", SEVERITIES), ...some("kind", KINDS),
    ...word("gate", 32), ...one("verdict", VERDICTS), ...flag("stale"), ...flag("flaky"),
    ...one("sort", SORTS.slice(1)), ...one("view", VIEWS), ...word("evidence", 40), ...word("ref", 200), ...flag("capture"), ...run(search.from),
  };
}

/** An object without some of its members. */
export function without<T extends object, K extends keyof T>(object: T, ...names: readonly K[]): Omit<T, K> {
  const rest = { ...object };
  for (const name of names) Reflect.deleteProperty(rest, name);
  return rest;
}

/** What of the address decides which requirements are listed. */
export function filterOf(search: ProofSearch): RequirementFilter {
  return without(search, "view", "evidence", "ref", "capture", "from");
}

/** Whether anything is left out of the list. */
export function isFiltered(filter: RequirementFilter): boolean {
  return Object.keys(filter).some((name) => name !== "sort");
}
