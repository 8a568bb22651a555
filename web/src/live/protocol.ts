/** What the streams of the server say, as values. */

import type { Shape } from "@/api/client";

/** A numbered sequence of entries: `run:ID`, `project:ID`, `audit:ID`. */
export type StreamId = `${"run" | "project" | "audit"}:${string}`;

/** An entry of a journal. Its data is of its kind, and foreign: read it with {@link text} and the others. */
export interface Entry {
  stream: StreamId;
  /** From 1, without holes. */
  seq: number;
  at: string;
  kind: string;
  level: Shape<"Level">;
  span?: string;
  parent?: string;
  edge?: "open" | "close";
  data: Data;
}

export type Data = Readonly<Record<string, unknown>>;

/** One event of a live connection. */
export type Message =
  | { type: "entry"; stream: StreamId; seq: number; entry: Entry }
  /** Where a stream that was asked for from its present end begins. */
  | { type: "start"; stream: StreamId; seq: number }
  /** Entries up to `seq` are past their retention; what is kept follows. */
  | { type: "resync"; stream: StreamId; seq: number }
  /** The stream has no entry after `seq`, and never will. */
  | { type: "end"; stream: StreamId; seq: number }
  /** There is no such stream, or it may not be read any more. */
  | { type: "gone"; stream: StreamId };

/** A server-sent event, as it came. */
export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

/** Reads an event of `GET /api/v1/events`; what is not understood is left out, as a later server may say more. */
export function messageOf({ id, event, data }: ServerEvent): Message | null {
  const at = id.lastIndexOf("@");
  const stream = streamOf(id.slice(0, Math.max(at, 0)));
  const seq = Number(id.slice(at + 1));
  if (stream === null || at < 0 || !Number.isSafeInteger(seq) || seq < 0) return null;
  if (event === "resync" || event === "end") return { type: event, stream, seq };
  if (event === "gone") return { type: "gone", stream };
  if (event !== "entry") return null;
  const entry = entryOf(data);
  return entry !== null && entry.seq === seq && entry.stream === stream ? { type: "entry", stream, seq, entry } : null;
}

function entryOf(json: string): Entry | null {
  try {
    const value: unknown = JSON.parse(json);
    return isEntry(value) ? value : null;
  } catch {
    return null;
  }
}

/** Whether a value has the shape of an entry. */
export function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  const entry = value as Partial<Record<keyof Entry, unknown>>;
  return (
    typeof entry.stream === "string" && typeof entry.seq === "number" && typeof entry.kind === "string" &&
    typeof entry.at === "string" && typeof entry.data === "object" && entry.data !== null
  );
}

/** The stream that a text names. */
export function streamOf(text: string): StreamId | null {
  return /^(run|project|audit):[0-9a-f-]+$/.test(text) ? (text as StreamId) : null;
}

export function runStream(run: string): StreamId {
  return `run:${run}`;
}

export function projectStream(project: string): StreamId {
  return `project:${project}`;
}

export function auditStream(project: string): StreamId {
  return `audit:${project}`;
}

/** A text of an entry's data; empty when it is none. */
export function text(data: Data, name: string): string {
  const value = data[name];
  return typeof value === "string" ? value : "";
}

/** A number of an entry's data. */
export function number(data: Data, name: string): number | null {
  const value = data[name];
  return typeof value === "number" ? value : null;
}

/** A list of an entry's data; empty when it is none. */
export function list(data: Data, name: string): readonly unknown[] {
  const value = data[name];
  return Array.isArray(value) ? value : [];
}

/** An object within an entry's data; empty when it is none. */
export function object(value: unknown): Data {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Data) : {};
}
