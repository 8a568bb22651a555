import type { FromHub, Link } from "./link";
import { openLink } from "./link";
import { runStream, type Entry, type Message, type StreamId } from "./protocol";
import { emptyRun, reduceRun, type LiveRun } from "./run";
import type { LiveStatus } from "./status";
import { apply, hasHole, isOver, reading, type StreamState } from "./stream";

/** Told of each batch of entries that this tab sees for the first time. */
export type News = (entries: readonly Entry[]) => void;

interface Followed {
  state: StreamState;
  /** How many parts of the page look at it. */
  looks: number;
  /** What its entries make, for a run. */
  run: LiveRun | null;
  /** Told to the hub: the number to begin behind, null for the present end. */
  from: number | null;
  listeners: Set<() => void>;
  leaving: ReturnType<typeof setTimeout> | undefined;
  holeSince: number | null;
}

/** What nobody looks at any more is kept this long: going back to it shows it at once. */
const LINGER = 30_000;
/** A hidden tab gets no frames. */
const HIDDEN_FLUSH = 250;
/** A hole this old is not one of order: what is missing is asked for again. */
const HOLE = 1_000;

/**
 * The streams that this tab follows. Messages gather until the next frame and are applied together, so
 * that many entries are one paint.
 */
export class LiveStore {
  readonly #open: (hear: (words: FromHub) => void) => Link;
  #link: Link | null = null;
  readonly #streams = new Map<StreamId, Followed>();
  readonly #news = new Set<News>();
  readonly #statusListeners = new Set<() => void>();
  #status: LiveStatus = { state: "idle" };
  #queue: Message[] = [];
  #scheduled = false;
  #telling = false;

  constructor(open: (hear: (words: FromHub) => void) => Link = openLink) {
    this.#open = open;
  }

  get status(): LiveStatus {
    return this.#status;
  }

  onStatus = (listener: () => void): (() => void) => {
    this.#statusListeners.add(listener);
    return () => this.#statusListeners.delete(listener);
  };

  onNews(listener: News): () => void {
    this.#news.add(listener);
    return () => this.#news.delete(listener);
  }

  /** Follows a stream while the answer is not called: a run from its start, a project from now on. */
  follow(stream: StreamId, listener: () => void = () => undefined): () => void {
    const isRun = stream.startsWith("run:");
    let followed = this.#streams.get(stream);
    if (followed === undefined) {
      followed = {
        state: reading(), looks: 0, run: isRun ? emptyRun() : null, from: isRun ? 0 : null,
        listeners: new Set(), leaving: undefined, holeSince: null,
      };
      this.#streams.set(stream, followed);
      this.#tellWants();
    }
    const kept = followed;
    clearTimeout(kept.leaving);
    kept.looks += 1;
    kept.listeners.add(listener);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      kept.looks -= 1;
      kept.listeners.delete(listener);
      if (kept.looks > 0) return;
      kept.leaving = setTimeout(() => {
        this.#streams.delete(stream);
        this.#tellWants();
      }, LINGER);
    };
  }

  /** What the journal of a run has told; null when it is not followed. */
  run(id: string): LiveRun | null {
    return this.#streams.get(runStream(id))?.run ?? null;
  }

  /** Whether everything a run's journal will ever tell is here. */
  isOver(id: string): boolean {
    const followed = this.#streams.get(runStream(id));
    return followed !== undefined && isOver(followed.state);
  }

  retry = (): void => this.#link?.send({ type: "retry" });

  /** What is followed changes in bursts, as pages come and go: the hub is told once. */
  #tellWants(): void {
    this.#link ??= this.#open((words) => this.#hear(words));
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      const wants = [...this.#streams].filter(([, followed]) => !isOver(followed.state));
      this.#link?.send({
        type: "want",
        wants: wants.map(([stream, { state, from }]) => [stream, from === null && state.seq === 0 ? null : state.seq] as const),
      });
    });
  }

  #hear(words: FromHub): void {
    if (words.type === "status") {
      this.#status = words.status;
      for (const listener of this.#statusListeners) listener();
      return;
    }
    for (const message of words.list) this.#queue.push(message);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Whichever comes first: a tab that is hidden gets no frame.
    const late = setTimeout(() => this.#flush(), HIDDEN_FLUSH);
    requestAnimationFrame(() => {
      clearTimeout(late);
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.#scheduled) return;
    this.#scheduled = false;
    const queue = this.#queue;
    this.#queue = [];
    const byStream = new Map<StreamId, Message[]>();
    for (const message of queue) {
      const list = byStream.get(message.stream);
      if (list === undefined) byStream.set(message.stream, [message]);
      else list.push(message);
    }
    const news: Entry[] = [];
    for (const [stream, messages] of byStream) {
      const followed = this.#streams.get(stream);
      if (followed === undefined) continue;
      const { state, fresh, cut } = apply(followed.state, messages);
      followed.state = state;
      if (followed.run !== null) {
        const base = cut ? emptyRun((fresh[0]?.seq ?? state.seq + 1) - 1) : followed.run;
        followed.run = reduceRun(base, fresh);
      }
      for (const entry of fresh) news.push(entry);
      this.#mindHole(stream, followed);
      for (const listener of followed.listeners) listener();
    }
    if (news.length > 0) for (const listener of this.#news) listener(news);
  }

  #mindHole(stream: StreamId, followed: Followed): void {
    if (!hasHole(followed.state)) {
      followed.holeSince = null;
      return;
    }
    if (followed.holeSince !== null) return;
    followed.holeSince = Date.now();
    setTimeout(() => {
      followed.holeSince = null;
      if (this.#streams.get(stream) === followed && hasHole(followed.state)) {
        this.#link?.send({ type: "again", stream, seq: followed.state.seq });
      }
    }, HOLE);
  }
}

/** The one of this tab. */
export const live = new LiveStore();
