import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Hub, type Reader } from "./hub";
import type { Entry, Message, StreamId } from "./protocol";
import { apply, isOver, reading, type StreamState } from "./stream";
import type { LiveStatus } from "./status";
import type { Cursor, End, Wire, WireEvents } from "./wire";

const STREAMS: readonly StreamId[] = ["project:1", "project:2", "run:1", "run:2"];
const LOST: End = { kind: "lost", cause: { code: "offline", message: "the server does not answer" } };

function entry(stream: StreamId, seq: number): Entry {
  return { stream, seq, at: "2026-11-21T00:00:00Z", kind: "note", level: "info", data: {} };
}

/** A server that keeps its streams, and tells them as the real one does: what follows a cursor, then what comes. */
class Server implements Wire {
  heads = new Map<StreamId, number>(STREAMS.map((stream) => [stream, 0]));
  ended = new Set<StreamId>();
  lines: { at: Map<StreamId, number>; on: WireEvents; end: (end: End) => void; open: boolean }[] = [];

  async follow(streams: readonly Cursor[], on: WireEvents, signal: AbortSignal): Promise<End> {
    return new Promise((resolve) => {
      const line = { at: new Map(streams), on, open: true, end: (end: End) => { line.open = false; resolve(end); } };
      this.lines.push(line);
      signal.addEventListener("abort", () => line.end(LOST));
      // An answer takes its time.
      setTimeout(() => {
        if (!line.open) return;
        on.opened();
        this.pump();
      }, 3);
    });
  }
  page(): Promise<Message[]> {
    return Promise.resolve([]);
  }
  head(stream: StreamId): Promise<number> {
    return new Promise((resolve) => setTimeout(() => resolve(this.heads.get(stream) ?? 0), 2));
  }
  pump(): void {
    for (const line of this.lines) {
      if (!line.open) continue;
      const list: Message[] = [];
      for (const [stream, at] of line.at) {
        const head = this.heads.get(stream) ?? 0;
        for (let seq = at + 1; seq <= head; seq += 1) list.push({ type: "entry", stream, seq, entry: entry(stream, seq) });
        line.at.set(stream, head);
        if (this.ended.has(stream)) {
          list.push({ type: "end", stream, seq: head });
          line.at.delete(stream);
        }
      }
      if (list.length > 0) line.on.messages(list);
      // The server closes a connection whose streams have all ended.
      if (line.at.size === 0) line.end(LOST);
    }
  }
}

/** A tab, as its store keeps it: what it wants, and how far it has come in each. */
class Tab implements Reader {
  streams = new Map<StreamId, { state: StreamState; from: number | null; begins: number }>();
  messages(list: readonly Message[]): void {
    for (const message of list) {
      const kept = this.streams.get(message.stream);
      if (kept !== undefined) kept.state = apply(kept.state, [message]).state;
    }
  }
  said: LiveStatus[] = [];
  status(status: LiveStatus): void {
    this.said.push(status);
  }
  /** What a store says to the hub. */
  wants(): [StreamId, number | null][] {
    return [...this.streams].filter(([, { state }]) => !isOver(state)).map(([stream, { state, from }]) => [stream, from === null && state.seq === 0 ? null : state.seq]);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const stream = fc.constantFrom(...STREAMS);
const tab = fc.nat({ max: 3 });
const step = fc.oneof(
  fc.record({ do: fc.constant("follow" as const), tab, stream }),
  fc.record({ do: fc.constant("unfollow" as const), tab, stream }),
  fc.record({ do: fc.constant("close" as const), tab }),
  fc.record({ do: fc.constant("append" as const), stream }),
  fc.record({ do: fc.constant("end" as const), stream: fc.constantFrom(...STREAMS.slice(2)) }),
  fc.record({ do: fc.constant("lose" as const) }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(0, 1, 5, 16, 40, 2_000) }),
);

// X61, W1: whatever tabs come and go, each gets all that it follows, from where it began.
test("every tab hears everything of what it follows, whatever the others do", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const server = new Server();
      const hub = new Hub(server);
      const tabs = [new Tab(), new Tab(), new Tab(), new Tab()];
      for (const one of steps) {
        switch (one.do) {
          case "follow": {
            const own = tabs[one.tab];
            if (own === undefined || own.streams.has(one.stream)) break;
            const head = server.heads.get(one.stream) ?? 0;
            own.streams.set(one.stream, { state: reading(), from: one.stream.startsWith("run:") ? 0 : null, begins: head });
            hub.want(own, own.wants());
            break;
          }
          case "unfollow": {
            const own = tabs[one.tab];
            if (own?.streams.delete(one.stream) === true) hub.want(own, own.wants());
            break;
          }
          case "close": {
            const own = tabs[one.tab];
            if (own !== undefined) hub.leave(own);
            tabs[one.tab] = new Tab();
            break;
          }
          case "append":
            if (!server.ended.has(one.stream)) server.heads.set(one.stream, (server.heads.get(one.stream) ?? 0) + 1);
            server.pump();
            break;
          case "end":
            server.ended.add(one.stream);
            server.pump();
            break;
          case "lose":
            for (const line of server.lines) if (line.open) line.end(LOST);
            await vi.advanceTimersByTimeAsync(0);
            break;
          case "wait":
            await vi.advanceTimersByTimeAsync(one.ms);
            break;
        }
      }
      await vi.advanceTimersByTimeAsync(30_000);
      // What comes now reaches everybody who follows it.
      for (const name of STREAMS) if (!server.ended.has(name)) server.heads.set(name, (server.heads.get(name) ?? 0) + 1);
      server.pump();
      await vi.advanceTimersByTimeAsync(30_000);
      for (const [at, own] of tabs.entries()) {
        for (const [name, { state }] of own.streams) expect([at, name, state.seq]).toEqual([at, name, server.heads.get(name)]);
      }
      expect(server.lines.filter((line) => line.open).length).toBeLessThanOrEqual(1);
      for (const own of tabs) hub.leave(own);
      await vi.advanceTimersByTimeAsync(0);
    }),
    { numRuns: 5_000 },
  );
});
