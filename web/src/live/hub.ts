import type { Message, StreamId } from "./protocol";
import { pause, type Cause, type LiveStatus } from "./status";
import type { Cursor, End, Wire, WireEvents } from "./wire";

/** What a reader wants: each stream with the number it saw last; null is from the present end on. */
export type Wants = readonly (readonly [stream: StreamId, seq: number | null])[];

/** A reader of the hub: a tab. */
export interface Reader {
  messages(list: readonly Message[]): void;
  status(status: LiveStatus): void;
}

/** How many streams the server takes over one connection. */
const MOST_STREAMS = 64;
/** Changes of what is wanted that come together make one new connection. */
const SETTLE = 15;
const POLL = 5_000;
/** How long to ask every few seconds before streams are tried again. */
const POLLING_FOR = 60_000;

/**
 * The one connection to the server, for all who read through it. It follows what they want together,
 * comes back by the numbers seen last when it is lost, for ever, and asks every few seconds where
 * streams are held back. What readers already have may come again: they drop it by its number.
 */
export class Hub {
  readonly #wire: Wire;
  readonly #readers = new Map<Reader, Map<StreamId, number | null>>();
  /** Where each followed stream is. */
  readonly #cursors = new Map<StreamId, number>();
  /** Streams that the next connection reads again from an earlier number, for a reader that lacks it. */
  readonly #behind = new Map<StreamId, number>();
  #status: LiveStatus = { state: "idle" };
  #connection: AbortController | null = null;
  #settling: ReturnType<typeof setTimeout> | null = null;
  #waiting: ReturnType<typeof setTimeout> | null = null;
  #attempt = 0;
  #lostAt: number | null = null;
  #wake: (() => void) | null = null;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Says what a reader wants from now on; an empty list when it only wants to know how things are. */
  want(reader: Reader, wants: Wants): void {
    const isNew = !this.#readers.has(reader);
    const known = this.#readers.get(reader) ?? new Map<StreamId, number | null>();
    let more = false;
    const next = new Map<StreamId, number | null>();
    for (const [stream, seq] of wants) {
      const before = known.get(stream);
      next.set(stream, before === undefined ? seq : before);
      if (before !== undefined) continue;
      const cursor = this.#cursors.get(stream);
      if (seq === null && cursor !== undefined) {
        // What follows now is what this reader wants to see.
        next.set(stream, cursor);
        reader.messages([{ type: "start", stream, seq: cursor }]);
      } else if (cursor === undefined || (seq !== null && seq < cursor)) {
        if (seq !== null) this.#rewind(stream, seq);
        more = true;
      }
    }
    this.#readers.set(reader, next);
    if (isNew) reader.status(this.#status);
    if (more) this.#settle();
    else this.#sweep();
  }

  /** Forgets a reader. */
  leave(reader: Reader): void {
    this.#readers.delete(reader);
    this.#sweep();
  }

  /** Tries at once: a person asked, the machine woke up, or somebody signed in. */
  retry(): void {
    if (this.#status.state === "live" || this.#status.state === "connecting") return;
    const isWanted = this.#readers.size > 0 && this.#wanted().length > 0;
    // Somebody signed in: that the old session has ended is no longer how things are.
    if (this.#status.state === "signed_out") this.#say({ state: isWanted ? "connecting" : "idle" });
    if (!isWanted) return;
    this.#attempt = 0;
    this.#connect();
  }

  /** Ends the present connection and makes a new one: somebody misses entries in it. */
  again(stream: StreamId, seq: number): void {
    if (!this.#cursors.has(stream)) return;
    this.#rewind(stream, seq);
    this.#settle();
  }

  #rewind(stream: StreamId, seq: number): void {
    this.#behind.set(stream, Math.min(this.#behind.get(stream) ?? seq, seq));
    if (!this.#cursors.has(stream)) this.#cursors.set(stream, seq);
  }

  /** Streams that nobody reads any more are left out of the next connection; when none is left, it ends. */
  #sweep(): void {
    const wanted = new Set(this.#wanted());
    for (const stream of this.#cursors.keys()) if (!wanted.has(stream)) this.#cursors.delete(stream);
    for (const stream of this.#behind.keys()) if (!wanted.has(stream)) this.#behind.delete(stream);
    if (wanted.size > 0) return;
    this.#stop();
    if (this.#status.state !== "signed_out") this.#say({ state: "idle" });
  }

  #wanted(): StreamId[] {
    const all = new Set<StreamId>();
    for (const wants of this.#readers.values()) for (const stream of wants.keys()) all.add(stream);
    return [...all];
  }

  #stop(): void {
    this.#connection?.abort();
    this.#connection = null;
    if (this.#settling !== null) clearTimeout(this.#settling);
    if (this.#waiting !== null) clearTimeout(this.#waiting);
    this.#settling = this.#waiting = null;
    this.#wake = null;
  }

  #settle(): void {
    if (this.#status.state === "reconnecting" || this.#status.state === "signed_out") return;
    if (this.#status.state === "polling") this.#wake?.();
    else this.#settling ??= setTimeout(() => this.#connect(), SETTLE);
  }

  #connect(): void {
    this.#stop();
    const connection = new AbortController();
    this.#connection = connection;
    if (this.#status.state === "idle") this.#say({ state: "connecting" });
    void this.#run(connection.signal).then((end) => {
      if (this.#connection !== connection) return;
      this.#connection = null;
      if (end !== null) this.#ended(end);
    });
  }

  /** One connection, from its first question to its end; null when nothing is left to follow. */
  async #run(signal: AbortSignal): Promise<End | null> {
    const unset = await this.#place(signal);
    if (unset !== null) return unset;
    const streams = this.#following();
    if (streams.length === 0) {
      this.#came();
      return null;
    }
    const on: WireEvents = {
      opened: () => signal.aborted || this.#came(),
      messages: (list) => signal.aborted || this.#deliver(list),
    };
    const end = await this.#wire.follow(streams, on, signal);
    if (signal.aborted) return end;
    if (end.kind === "blocked") return this.#poll(end.cause, signal);
    return end;
  }

  /** What to follow, and from where. */
  #following(): Cursor[] {
    for (const [stream, seq] of this.#behind) this.#cursors.set(stream, seq);
    this.#behind.clear();
    const wanted = this.#wanted().slice(0, MOST_STREAMS);
    return wanted.flatMap((stream) => {
      const seq = this.#cursors.get(stream);
      return seq === undefined ? [] : [[stream, seq] as const];
    });
  }

  /** Finds out where streams end that are wanted from their present end on. */
  async #place(signal: AbortSignal): Promise<End | null> {
    for (const stream of this.#wanted()) {
      if (this.#cursors.has(stream)) continue;
      const head = await this.#wire.head(stream, signal);
      if (signal.aborted) return { kind: "lost", cause: LEFT };
      if (head === null) {
        this.#deliver([{ type: "gone", stream }]);
      } else if (typeof head === "number") {
        this.#cursors.set(stream, head);
        this.#deliver([{ type: "start", stream, seq: head }]);
      } else {
        return head;
      }
    }
    return null;
  }

  async #poll(cause: Cause, signal: AbortSignal): Promise<End> {
    this.#came();
    this.#say({ state: "polling", cause });
    const until = Date.now() + POLLING_FOR;
    while (Date.now() < until) {
      const unset = await this.#place(signal);
      if (unset !== null) return unset;
      for (const cursor of this.#following()) {
        const page = await this.#wire.page(cursor, signal);
        if (signal.aborted) return { kind: "lost", cause: LEFT };
        if (!Array.isArray(page)) return page;
        this.#deliver(page);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, POLL);
      });
      if (signal.aborted) return { kind: "lost", cause: LEFT };
    }
    // Try streams again; where they are still held back, this comes round.
    return { kind: "lost", cause };
  }

  #came(): void {
    this.#attempt = 0;
    this.#lostAt = null;
    this.#say({ state: "live" });
  }

  #ended(end: End): void {
    if (end.kind === "refused" && end.status === 401) {
      this.#say({ state: "signed_out" });
      return;
    }
    // The server closes a connection whose streams have all ended.
    if (end.kind === "lost" && this.#cursors.size === 0) return;
    this.#attempt += 1;
    this.#lostAt ??= Date.now();
    const wait = pause(this.#attempt, Math.random());
    const { cause } = end;
    this.#say({ state: "reconnecting", lostAt: this.#lostAt, attempt: this.#attempt, nextAt: Date.now() + wait, cause });
    this.#waiting = setTimeout(() => this.#connect(), wait);
  }

  #deliver(list: readonly Message[]): void {
    for (const message of list) {
      if (message.type === "gone") continue;
      this.#cursors.set(message.stream, Math.max(this.#cursors.get(message.stream) ?? 0, message.seq));
    }
    for (const [reader, wants] of this.#readers) {
      const own = list.filter((message) => wants.has(message.stream));
      if (own.length > 0) reader.messages(own);
      for (const message of own) if (this.#isLast(message)) wants.delete(message.stream);
    }
    for (const message of list) if (this.#isLast(message)) this.#cursors.delete(message.stream);
  }

  /** Whether nothing follows in this stream, for anybody. */
  #isLast(message: Message): boolean {
    return message.type === "gone" || (message.type === "end" && !this.#behind.has(message.stream));
  }

  #say(status: LiveStatus): void {
    this.#status = status;
    for (const reader of this.#readers.keys()) reader.status(status);
  }
}

const LEFT: Cause = { code: "left", message: "the page went on" };
