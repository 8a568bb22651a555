import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Hub, type Reader } from "./hub";
import type { Message, StreamId } from "./protocol";
import type { LiveStatus } from "./status";
import type { Cursor, End, Wire, WireEvents } from "./wire";

const RUN: StreamId = "run:1";
const BOARD: StreamId = "project:2";

/** A connection in the hands of the test. */
interface Line {
  streams: readonly Cursor[];
  on: WireEvents;
  signal: AbortSignal;
  end: (end: End) => void;
}

/** A server in the hands of the test. */
class Script implements Wire {
  lines: Line[] = [];
  heads = new Map<StreamId, number | null>();
  pages: Cursor[] = [];
  page_: (cursor: Cursor) => Message[] = () => [];

  follow(streams: readonly Cursor[], on: WireEvents, signal: AbortSignal): Promise<End> {
    return new Promise((resolve) => {
      this.lines.push({ streams, on, signal, end: resolve });
      signal.addEventListener("abort", () => resolve(LOST));
    });
  }
  page(cursor: Cursor): Promise<Message[]> {
    this.pages.push(cursor);
    return Promise.resolve(this.page_(cursor));
  }
  head(stream: StreamId): Promise<number | null> {
    return Promise.resolve(this.heads.get(stream) ?? (this.heads.has(stream) ? null : 0));
  }
  get line(): Line {
    const line = this.lines.at(-1);
    if (line === undefined) throw new Error("nobody has connected");
    return line;
  }
}

const LOST: End = { kind: "lost", cause: { code: "offline", message: "the server does not answer" } };

class Tab implements Reader {
  got: Message[] = [];
  said: LiveStatus[] = [];
  messages(list: readonly Message[]): void {
    this.got.push(...list);
  }
  status(status: LiveStatus): void {
    this.said.push(status);
  }
  get state(): string | undefined {
    return this.said.at(-1)?.state;
  }
  numbers(stream: StreamId): number[] {
    return this.got.flatMap((message) => (message.type === "entry" && message.stream === stream ? [message.seq] : []));
  }
}

function told(stream: StreamId, seq: number): Message {
  return { type: "entry", stream, seq, entry: { stream, seq, at: "2026-11-21T00:00:00Z", kind: "note", level: "info", data: {} } };
}

/** Lets everything that is due happen. */
const settle = (ms = 20) => vi.advanceTimersByTimeAsync(ms);

let script: Script;
let hub: Hub;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  script = new Script();
  hub = new Hub(script);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function connected(...wants: [StreamId, number | null][]): Promise<Tab> {
  const tab = new Tab();
  hub.want(tab, wants);
  await settle();
  script.line.on.opened();
  return tab;
}

// X61: one connection for all that is followed.
test("what is wanted together is one connection", async () => {
  script.heads.set(BOARD, 7);
  const tab = await connected([RUN, 0], [BOARD, null]);
  expect(script.lines).toHaveLength(1);
  expect(script.line.streams).toEqual([[RUN, 0], [BOARD, 7]]);
  expect(tab.got).toEqual([{ type: "start", stream: BOARD, seq: 7 }]);
  expect(tab.said.map(({ state }) => state)).toEqual(["idle", "connecting", "live"]);
});

describe("a connection that is lost", () => {
  // X49, P79: by the numbers seen last, 1 s to 10 s, for ever.
  test("comes back by the numbers seen last, ever more slowly, for ever", async () => {
    const tab = await connected([RUN, 0]);
    script.line.on.messages([told(RUN, 1), told(RUN, 2)]);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 9; attempt += 1) {
      script.line.end(LOST);
      await settle(0);
      const said = tab.said.at(-1);
      if (said?.state !== "reconnecting") throw new Error(`it is ${said?.state ?? "silent"}`);
      expect(said.attempt).toBe(attempt + 1);
      const wait = said.nextAt - Date.now();
      waits.push(wait);
      const before = script.lines.length;
      await settle(wait - 1);
      expect(script.lines).toHaveLength(before);
      await settle(1);
      expect(script.line.streams).toEqual([[RUN, 2]]);
    }
    expect(waits[0]).toBe(1_000);
    expect(Math.max(...waits)).toBe(10_000);
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    script.line.on.opened();
    expect(tab.state).toBe("live");
    // The next loss begins with a short wait again.
    script.line.end(LOST);
    await settle(0);
    expect(tab.said.at(-1)).toMatchObject({ state: "reconnecting", attempt: 1 });
  });

  test("tells since when, through all attempts", async () => {
    const tab = await connected([RUN, 0]);
    const at = Date.now();
    script.line.end(LOST);
    await settle(1_000);
    script.line.end(LOST);
    await settle(0);
    expect(tab.said.at(-1)).toMatchObject({ state: "reconnecting", lostAt: at, attempt: 2 });
  });

  test("is tried at once when a person asks", async () => {
    await connected([RUN, 0]);
    script.line.end(LOST);
    await settle(0);
    hub.retry();
    await settle(0);
    expect(script.lines).toHaveLength(2);
  });

  test("for want of a session stays so until somebody signs in", async () => {
    const tab = await connected([RUN, 0]);
    script.line.end({ kind: "refused", status: 401, cause: { code: "PH-1004", message: "no session" } });
    await settle(60_000);
    expect(tab.state).toBe("signed_out");
    expect(script.lines).toHaveLength(1);
    hub.retry();
    // Whoever signed in is not taken for signed out while the connection is made.
    expect(tab.state).toBe("connecting");
    await settle(0);
    script.line.on.opened();
    expect(tab.state).toBe("live");
  });
});

describe("several tabs", () => {
  test("each get what they want, and a late one gets all from its number", async () => {
    const first = await connected([RUN, 0]);
    script.line.on.messages([told(RUN, 1), told(RUN, 2)]);
    const second = new Tab();
    hub.want(second, [[RUN, 0]]);
    // What the old connection still brings does not move the start of the new one.
    script.line.on.messages([told(RUN, 3)]);
    await settle();
    expect(script.lines).toHaveLength(2);
    expect(script.lines[0]?.signal.aborted).toBe(true);
    expect(script.line.streams).toEqual([[RUN, 0]]);
    script.line.on.messages([told(RUN, 1), told(RUN, 2), told(RUN, 3)]);
    expect(new Set(second.numbers(RUN))).toEqual(new Set([1, 2, 3]));
    expect(new Set(first.numbers(RUN))).toEqual(new Set([1, 2, 3]));
  });

  test("that want the present end of what is followed need no new connection", async () => {
    await connected([BOARD, null]);
    script.line.on.messages([told(BOARD, 1)]);
    const second = new Tab();
    hub.want(second, [[BOARD, null]]);
    await settle();
    expect(script.lines).toHaveLength(1);
    expect(second.got).toEqual([{ type: "start", stream: BOARD, seq: 1 }]);
  });

  test("that have all left leave no connection behind", async () => {
    const tab = await connected([RUN, 0]);
    hub.leave(tab);
    expect(script.line.signal.aborted).toBe(true);
    await settle(60_000);
    expect(script.lines).toHaveLength(1);
  });
});

test("a stream that has ended is not asked for again, and its end is no loss", async () => {
  const tab = await connected([RUN, 0]);
  script.line.on.messages([told(RUN, 1), { type: "end", stream: RUN, seq: 1 }]);
  script.line.end(LOST);
  await settle(30_000);
  expect(script.lines).toHaveLength(1);
  expect(tab.state).toBe("live");
});

// X61: one that is not there does not take the others with it.
test("a stream that is not there is told, and left out of the next connection", async () => {
  const tab = await connected([RUN, 0], [BOARD, 3]);
  script.line.on.messages([{ type: "gone", stream: RUN }, told(BOARD, 4)]);
  expect(tab.got).toContainEqual({ type: "gone", stream: RUN });
  script.line.end(LOST);
  await settle(2_000);
  expect(script.line.streams).toEqual([[BOARD, 4]]);
});

// W1: where a proxy holds streams back, every 5 s, one question after the other.
test("where streams are held back, it asks every few seconds and tries them again", async () => {
  const tab = await connected([RUN, 0]);
  script.page_ = ([stream, seq]) => (seq < 3 ? [told(stream, seq + 1)] : []);
  script.line.end({ kind: "blocked", cause: { code: "blocked", message: "held back" } });
  await settle(0);
  expect(tab.state).toBe("polling");
  await settle(15_000);
  expect(script.pages.map(([, seq]) => seq)).toEqual([0, 1, 2, 3]);
  expect(tab.numbers(RUN)).toEqual([1, 2, 3]);
  await settle(60_000);
  expect(script.lines.length).toBeGreaterThan(1);
  expect(script.line.streams).toEqual([[RUN, 3]]);
});

test("a reader with a hole gets what it lacks again", async () => {
  await connected([RUN, 0]);
  script.line.on.messages([told(RUN, 1), told(RUN, 2)]);
  hub.again(RUN, 1);
  await settle();
  expect(script.line.streams).toEqual([[RUN, 1]]);
});
