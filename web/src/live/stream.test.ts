import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Entry, Message } from "./protocol";
import { apply, hasHole, HELD, isOver, reading, type StreamState } from "./stream";

const STREAM = "run:1" as const;

function entry(seq: number): Entry {
  return { stream: STREAM, seq, at: "2026-11-21T00:00:00Z", kind: "note", level: "info", data: { n: seq } };
}

function told(seq: number): Message {
  return { type: "entry", stream: STREAM, seq, entry: entry(seq) };
}

function numbers(list: readonly Entry[]): number[] {
  return list.map(({ seq }) => seq);
}

/** Applies messages in pieces; answers the end and what was given out. */
function all(pieces: readonly (readonly Message[])[], from = reading()): { state: StreamState; given: number[] } {
  let state = from;
  const given: number[] = [];
  for (const piece of pieces) {
    const applied = apply(state, piece);
    state = applied.state;
    if (applied.cut) given.length = 0;
    given.push(...numbers(applied.fresh));
  }
  return { state, given };
}

/** Some order of the numbers 1 to n, with repeats, cut into pieces. */
const shuffled = fc.integer({ min: 1, max: 60 }).chain((n) => {
  const each = Array.from({ length: n }, (_, at) => at + 1);
  return fc
    .tuple(fc.shuffledSubarray(each, { minLength: n }), fc.array(fc.integer({ min: 1, max: n }), { maxLength: 40 }), fc.infiniteStream(fc.nat(1_000)))
    .map(([order, repeats, places]) => {
      const list = [...order];
      for (const repeat of repeats) list.splice((places.next().value as number) % (list.length + 1), 0, repeat);
      const pieces: number[][] = [];
      while (list.length > 0) pieces.push(list.splice(0, 1 + ((places.next().value as number) % 7)));
      return { n, pieces };
    });
});

describe("entries of a stream", () => {
  // W1, F6: in any order, more than once, in any pieces: each is given out once, in order.
  test("are given out once and in order, whatever comes", () => {
    fc.assert(
      fc.property(shuffled, ({ n, pieces }) => {
        const { state, given } = all(pieces.map((piece) => piece.map(told)));
        expect(given).toEqual(Array.from({ length: n }, (_, at) => at + 1));
        expect(state.seq).toBe(n);
        expect(hasHole(state)).toBe(false);
      }),
    );
  });

  test("wait behind a hole, and what was seen never comes back", () => {
    const { state, given } = all([[told(1), told(3), told(4)], [told(1), told(4)]]);
    expect(given).toEqual([1]);
    expect(hasHole(state)).toBe(true);
    const filled = apply(state, [told(2)]);
    expect(numbers(filled.fresh)).toEqual([2, 3, 4]);
    expect(apply(filled.state, [told(2), told(3)]).fresh).toEqual([]);
  });

  test("that wait are bounded: those beyond come again with the hole's", () => {
    const late = Array.from({ length: HELD + 500 }, (_, at) => told(at + 2));
    const { state } = apply(reading(), late);
    expect(state.held.size).toBe(HELD);
    const filled = apply(state, [told(1), ...late]);
    expect(filled.state.seq).toBe(HELD + 501);
  });

  test("begin where the stream says, for a reader of what is to come", () => {
    const { state, given } = all([[told(9)], [{ type: "start", stream: STREAM, seq: 8 }], [told(10)]]);
    expect(given).toEqual([9, 10]);
    expect(state.seq).toBe(10);
    // Told again later, nothing is skipped.
    expect(apply(state, [{ type: "start", stream: STREAM, seq: 4 }]).state.seq).toBe(10);
  });
});

describe("a cut", () => {
  const cut: Message = { type: "resync", stream: STREAM, seq: 40 };

  test("makes void what came before, and goes on behind it", () => {
    const applied = apply(reading(3), [told(4), cut, told(41), told(42)]);
    expect(applied.cut).toBe(true);
    expect(numbers(applied.fresh)).toEqual([41, 42]);
  });

  test("keeps what waited behind it", () => {
    const waiting = apply(reading(3), [told(42), told(20), told(41)]).state;
    const applied = apply(waiting, [cut]);
    expect(numbers(applied.fresh)).toEqual([41, 42]);
    expect(hasHole(applied.state)).toBe(false);
  });

  test("within what was seen takes nothing away", () => {
    const applied = apply(reading(50), [cut, told(51)]);
    expect(applied.cut).toBe(false);
    expect(numbers(applied.fresh)).toEqual([51]);
  });
});

describe("the end", () => {
  const end: Message = { type: "end", stream: STREAM, seq: 3 };

  // The last entry may come after the word that it is the last.
  test("is reached when everything up to it was seen, in any order", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([told(1), told(2), told(3), end], { minLength: 4 }), (messages) => {
        expect(isOver(apply(reading(), messages).state)).toBe(true);
      }),
    );
    expect(isOver(apply(reading(), [told(1), end]).state)).toBe(false);
  });

  test("of a stream that is gone needs no entries", () => {
    expect(isOver(apply(reading(), [{ type: "gone", stream: STREAM }]).state)).toBe(true);
  });
});
