import { isEntry, messageOf, type Message, type StreamId } from "./protocol";
import { EventReader } from "./sse";
import type { Cause } from "./status";

/** A stream and the number seen last in it. */
export type Cursor = readonly [stream: StreamId, seq: number];

/** How a connection, or an attempt at one, ended. */
export type End =
  /** It came about and broke off, or the server closed it. */
  | { kind: "lost"; cause: Cause }
  /** It did not come about. */
  | { kind: "refused"; status: number; cause: Cause }
  /** An answer began and nothing came through: something in between holds it back. */
  | { kind: "blocked"; cause: Cause };

export interface WireEvents {
  /** The server has answered: from here on everything that happens arrives. */
  opened(): void;
  messages(list: Message[]): void;
}

/** The greeting of the server must come this soon, or the way does not let streams through. */
const GREETING = 8_000;
/** The server gives a sign of life every 10 s. */
const SILENCE = 25_000;

/** The server as the hub sees it. */
export interface Wire {
  /** Follows streams until the connection ends or `signal` says so. */
  follow(streams: readonly Cursor[], on: WireEvents, signal: AbortSignal): Promise<End>;
  /** What a stream has behind a number, in one answer; `end` of null means that there is more. */
  page(cursor: Cursor, signal: AbortSignal): Promise<Message[] | End>;
  /** The newest number of a stream; null when there is no such stream. */
  head(stream: StreamId, signal: AbortSignal): Promise<number | null | End>;
}

/** The server that this page came from. */
export class HttpWire implements Wire {
  async follow(streams: readonly Cursor[], on: WireEvents, signal: AbortSignal): Promise<End> {
    const stop = new AbortController();
    const giveUp = () => stop.abort();
    signal.addEventListener("abort", giveUp);
    let met = false;
    let timer = setTimeout(giveUp, GREETING);
    const names = streams.map(([stream, seq]) => `${stream}@${seq}`).join(",");
    try {
      const response = await fetch(`/api/v1/events?streams=${names}`, {
        signal: stop.signal,
        headers: { accept: "text/event-stream" },
        cache: "no-store",
      });
      if (!response.ok) return await refusal(response);
      if (response.body === null) return { kind: "blocked", cause: BLOCKED };
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const events = new EventReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return { kind: "lost", cause: { code: "closed", message: "the server closed the connection" } };
        clearTimeout(timer);
        timer = setTimeout(giveUp, SILENCE);
        if (!met) {
          met = true;
          on.opened();
        }
        const messages = events.read(value).map(messageOf).filter((message) => message !== null);
        if (messages.length > 0) on.messages(messages);
      }
    } catch {
      if (signal.aborted) return { kind: "lost", cause: { code: "left", message: "the page went on" } };
      if (!stop.signal.aborted) return met ? { kind: "lost", cause: OFFLINE } : { kind: "refused", status: 0, cause: OFFLINE };
      return met ? { kind: "lost", cause: SILENT } : { kind: "blocked", cause: BLOCKED };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      stop.abort();
    }
  }

  async page([stream, seq]: Cursor, signal: AbortSignal): Promise<Message[] | End> {
    const place = entriesOf(stream);
    if (place === null) return [];
    const answer = await get(`${place}?since=${seq}&limit=1000`, signal);
    if (hidden(answer.status)) return [{ type: "gone", stream }];
    if (answer.status === 410) return [{ type: "resync", stream, seq: Math.max(0, numberIn(answer.body, "floor") - 1) }];
    if ("end" in answer) return answer.end;
    const items = answer.body.items;
    const entries = Array.isArray(items) ? items.filter(isEntry) : [];
    const messages: Message[] = entries.map((entry) => ({ type: "entry", stream, seq: entry.seq, entry }));
    const floor = numberIn(answer.body, "floor");
    if (floor > seq + 1) messages.unshift({ type: "resync", stream, seq: floor - 1 });
    const last = entries.at(-1);
    // A project's stream tells of the ends of its runs, and goes on.
    if (stream.startsWith("run:") && last?.kind === "run.finished") messages.push({ type: "end", stream, seq: last.seq });
    return messages;
  }

  async head(stream: StreamId, signal: AbortSignal): Promise<number | null | End> {
    const place = entriesOf(stream);
    if (place === null) return 0;
    const answer = await get(`${place}?since=0&limit=1`, signal);
    if (hidden(answer.status)) return null;
    return "end" in answer ? answer.end : numberIn(answer.body, "head");
  }
}

const OFFLINE: Cause = { code: "offline", message: "the server does not answer" };
const SILENT: Cause = { code: "silent", message: "nothing was heard from the server for 25 s" };
const BLOCKED: Cause = { code: "blocked", message: "something between here and the server holds live streams back" };

/** Whether a stream is not there for this reader: one such does not take the others with it. */
function hidden(status: number): boolean {
  return status === 404 || status === 403;
}

function entriesOf(stream: StreamId): string | null {
  const [kind, id] = stream.split(":");
  if (id === undefined) return null;
  return kind === "run" ? `/api/v1/runs/${id}/entries` : `/api/v1/projects/${id}/${kind === "audit" ? "audit/" : ""}entries`;
}

interface Got {
  status: number;
  body: Record<string, unknown>;
}

async function get(place: string, signal: AbortSignal): Promise<Got | (Got & { end: End })> {
  try {
    const response = await fetch(place, { signal, cache: "no-store" });
    const body = response.clone().json() as Promise<Record<string, unknown>>;
    if (response.ok) return { status: response.status, body: await body };
    const parsed = await body.catch(() => ({}));
    return { status: response.status, body: parsed, end: await refusal(response) };
  } catch {
    return { status: 0, body: {}, end: { kind: "refused", status: 0, cause: OFFLINE } };
  }
}

async function refusal(response: Response): Promise<End> {
  const body: unknown = await response.json().catch(() => null);
  const said = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const code = typeof said.code === "string" ? said.code : "http";
  const message = typeof said.detail === "string" ? said.detail : `the server answered ${response.status}`;
  return { kind: "refused", status: response.status, cause: { code, message } };
}

function numberIn(body: Record<string, unknown>, name: string): number {
  const value = body[name];
  return typeof value === "number" ? value : 0;
}
