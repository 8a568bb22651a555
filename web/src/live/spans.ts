import { list, object, text, type Entry } from "./protocol";

/** A part of a run that began and, in time, ends. */
export interface Span {
  id: string;
  parent: string | null;
  /** The family of the span: `run`, `command`, `gate`, or that of a later run kind. */
  family: string;
  label: string;
  /** Milliseconds since the epoch. */
  from: number;
  to: number | null;
  /** How it ended, in the words of its kind: `passed`, `exit 1`; empty while it goes on. */
  end: string;
  hue: "neutral" | "running" | "good" | "warning" | "bad";
  /** The numbers of the entries that opened and closed it. */
  opened: number;
  closed: number | null;
}

export type Spans = ReadonlyMap<string, Span>;

/** Adds what entries say of spans. Answers the same map when they say nothing. */
export function withSpans(spans: Spans, entries: readonly Entry[]): Spans {
  const telling = entries.map(withSpan).filter((entry) => entry.span !== undefined && entry.edge !== undefined);
  if (telling.length === 0) return spans;
  const next = new Map(spans);
  for (const entry of telling) {
    const id = entry.span ?? "";
    const known = next.get(id);
    next.set(id, entry.edge === "open" ? opened(entry, id, known) : closed(entry, id, known));
    // The command says which gates it is for; they show beneath it.
    if (entry.kind === "command.started") adopt(next, entry, id);
  }
  return next;
}

/** The last entry of a run closes the run's own span, which the entry does not say by itself. */
function withSpan(entry: Entry): Entry {
  return entry.kind === "run.finished" && entry.span === undefined ? { ...entry, span: entry.stream, edge: "close" } : entry;
}

function opened(entry: Entry, id: string, known: Span | undefined): Span {
  return {
    id,
    parent: known?.parent ?? entry.parent ?? null,
    family: id.split(":", 1)[0] ?? "",
    label: labelOf(entry, id),
    from: Date.parse(entry.at),
    to: null,
    end: "",
    hue: "running",
    opened: entry.seq,
    closed: null,
  };
}

function closed(entry: Entry, id: string, known: Span | undefined): Span {
  const at = Date.parse(entry.at);
  // A gate that needs no process is judged without having been started.
  const span = known ?? { ...opened(entry, id, undefined), from: at };
  return { ...span, label: span.label === "" ? labelOf(entry, id) : span.label, to: at, closed: entry.seq, ...endOf(entry) };
}

function adopt(spans: Map<string, Span>, entry: Entry, command: string): void {
  const run = entry.stream.slice(-8);
  for (const subject of list(entry.data, "gates")) {
    if (typeof subject !== "string") continue;
    const id = `gate:${run}/${subject}`;
    const gate = spans.get(id);
    if (gate !== undefined) spans.set(id, { ...gate, parent: command });
    else spans.set(id, { ...opened(entry, id, undefined), label: subject.replace("/", " "), parent: command });
  }
}

function labelOf(entry: Entry, id: string): string {
  const { data } = entry;
  switch (entry.kind) {
    case "run.created":
      return `${text(data, "kind")} run`;
    case "command.started":
      return list(data, "argv").map(String).join(" ");
    case "gate.started":
    case "gate.finished":
      return `${text(data, "requirement")} ${text(data, "gate")}`;
    // The session of an agent, and what it does there.
    case "task.step":
      return text(data, "step").replace(/ begins$/, "");
    case "agent.tool":
      return text(data, "name") || "tool";
    default:
      return text(data, "label") || text(data, "name") || id.slice(id.indexOf(":") + 1);
  }
}

function endOf({ kind, level, data }: Entry): Pick<Span, "end" | "hue"> {
  const verdict = text(data, "verdict") || text(data, "status");
  if (kind === "command.finished") {
    const end = object(data.end);
    const code = typeof end.code === "number" ? end.code : null;
    const word = text(end, "kind").replaceAll("_", " ");
    if (code === null) return { end: word === "" ? "ended" : word, hue: "bad" };
    return { end: `exit ${code}`, hue: code === 0 ? "good" : "bad" };
  }
  switch (verdict) {
    // Of a tool that an agent used, and of what a dispatch came to.
    case "done":
    case "applied":
      return { end: verdict, hue: "good" };
    case "denied":
    case "unapplied":
      return { end: verdict, hue: "bad" };
    case "partial":
      return { end: verdict, hue: "warning" };
    case "no_changes":
      return { end: "no changes", hue: "neutral" };
    case "passed":
      return { end: verdict, hue: "good" };
    case "failed":
      return { end: verdict, hue: "bad" };
    case "unproven":
      return { end: verdict, hue: "warning" };
    case "cancelled":
      return { end: verdict, hue: "neutral" };
    default:
      return { end: verdict === "" ? "ended" : verdict, hue: level === "error" ? "bad" : "neutral" };
  }
}

/** A span in its place in the tree. */
export interface TreeRow {
  span: Span;
  depth: number;
  children: number;
}

/** Spans as rows, parents before their children, each level by when it began. */
export function rowsOf(spans: Spans, folded: ReadonlySet<string>): TreeRow[] {
  const children = new Map<string | null, Span[]>();
  for (const span of spans.values()) {
    const parent = span.parent !== null && spans.has(span.parent) ? span.parent : null;
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [span]);
    else list.push(span);
  }
  for (const list of children.values()) list.sort((a, b) => a.from - b.from || a.opened - b.opened || (a.id < b.id ? -1 : 1));
  const rows: TreeRow[] = [];
  const add = (parent: string | null, depth: number) => {
    for (const span of children.get(parent) ?? []) {
      rows.push({ span, depth, children: children.get(span.id)?.length ?? 0 });
      // A span cannot be its own ancestor in a sound journal; depth ends the walk in any other.
      if (!folded.has(span.id) && depth < 20) add(span.id, depth + 1);
    }
  };
  add(null, 0);
  return rows;
}
