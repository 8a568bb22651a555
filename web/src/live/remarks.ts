import { text, type Entry } from "./protocol";

/** Something that a run says beside its results: what a person should read, in the order it was said. */
export interface Remark {
  seq: number;
  at: number;
  level: Entry["level"];
  kind: string;
  words: string;
}

/** As many are kept; a run that has more to say has it in its journal. */
export const MOST_REMARKS = 100;

/** Notes, and whatever is a warning or worse, beside the ends of spans, which show in their places. */
export function withRemarks(remarks: readonly Remark[], entries: readonly Entry[]): readonly Remark[] {
  const fresh = entries.filter((entry) => entry.kind === "note" || (entry.level !== "info" && entry.level !== "debug" && entry.edge === undefined && entry.kind !== "run.finished"));
  if (fresh.length === 0 || remarks.length >= MOST_REMARKS) return remarks;
  return [...remarks, ...fresh.map(remarkOf)].slice(0, MOST_REMARKS);
}

function remarkOf({ seq, at, level, kind, data }: Entry): Remark {
  const [path, reason, what] = [text(data, "path"), text(data, "reason"), kind.replaceAll(".", " ")];
  // A reason alone, such as `policy`, says nothing of what it was about.
  const words = text(data, "text") || text(data, "message") || (path === "" ? reason || what : `${what}: ${path}${reason === "" ? "" : `, ${reason.replaceAll("_", " ")}`}`);
  return { seq, at: Date.parse(at), level, kind, words };
}
