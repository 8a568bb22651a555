/** What an audit entry is about, by the beginning of its kind. */
export const ABOUT = ["requirement", "waiver", "definition", "settings", "project", "issue", "worker", "token"] as const;
export type About = (typeof ABOUT)[number];

/** What of the audit page stands in the address (W2). */
export interface AuditSearch {
  about?: About;
  q?: string;
  /** The entry that is looked at. */
  entry?: number;
}

export function readAuditSearch(search: Record<string, unknown>): AuditSearch {
  const about = ABOUT.find((known) => known === search.about);
  const q = typeof search.q === "number" ? String(search.q) : search.q;
  return {
    ...(about === undefined ? {} : { about }),
    ...(typeof q === "string" && q.trim() !== "" ? { q: q.slice(0, 200) } : {}),
    ...(typeof search.entry === "number" && Number.isSafeInteger(search.entry) && search.entry > 0 ? { entry: search.entry } : {}),
  };
}
