import type { Entry, Message } from "./protocol";

/** How far a reader of one stream has come. */
export interface StreamState {
  /** The number up to which everything was seen. */
  seq: number;
  /** Entries behind a hole, by number: they wait until it is filled. */
  held: ReadonlyMap<number, Entry>;
  /** The number of the stream's last entry, once it is known. */
  last: number | null;
  /** There is no such stream for this reader. */
  gone: boolean;
}

/** What some messages made of a stream. */
export interface Applied {
  state: StreamState;
  /** What follows what was seen, in order, each once. */
  fresh: readonly Entry[];
  /** What was made of entries before `fresh` is void: they were cut away before they were seen. */
  cut: boolean;
}

/** As many entries wait behind a hole at most; those beyond come again with the hole's. */
export const HELD = 1_000;

/** A reader that has seen everything up to `seq`. */
export function reading(seq = 0): StreamState {
  return { seq, held: new Map(), last: null, gone: false };
}

/**
 * Applies messages of one stream. Entries come in any order and more than once; what a reader gets is
 * each entry once and in order, and depends on the set alone.
 */
export function apply(before: StreamState, messages: readonly Message[]): Applied {
  let { seq, last, gone } = before;
  let fresh: Entry[] = [];
  let cut = false;
  const held = new Map(before.held);

  const take = (entry: Entry) => {
    fresh.push(entry);
    seq = entry.seq;
  };
  const drain = () => {
    for (let next = held.get(seq + 1); next !== undefined; next = held.get(seq + 1)) {
      held.delete(next.seq);
      take(next);
    }
  };
  /** Goes on behind `to`, without the entries up to there. */
  const skip = (to: number) => {
    seq = to;
    for (const number of held.keys()) if (number <= to) held.delete(number);
    drain();
  };

  for (const message of messages) {
    switch (message.type) {
      case "entry":
        if (message.seq === seq + 1) {
          take(message.entry);
          if (held.size > 0) drain();
        } else if (message.seq > seq && held.size < HELD) {
          held.set(message.seq, message.entry);
        }
        break;
      case "start":
        if (message.seq > seq) skip(message.seq);
        break;
      case "resync":
        // A cut that ends within what was seen takes nothing away from this reader.
        if (message.seq > seq) {
          fresh = [];
          cut = true;
          skip(message.seq);
        }
        break;
      case "end":
        last = message.seq;
        break;
      case "gone":
        gone = true;
        break;
    }
  }
  return { state: { seq, held, last, gone }, fresh, cut };
}

/** Whether everything there will ever be was seen. */
export function isOver(state: StreamState): boolean {
  return state.gone || (state.last !== null && state.seq >= state.last);
}

/** Whether something is missing before what has already come. */
export function hasHole(state: StreamState): boolean {
  return state.held.size > 0;
}
