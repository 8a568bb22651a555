import { useEffect, useLayoutEffect, useReducer, useRef, useState, type RefObject } from "react";

/** A column this short is wholly in the document. */
const SHORT = 40;
/** Beyond the view, on either side, in pixels. */
const OVER = 900;
/** A view that moves by less changes nothing. */
const STEP = 300;
/** Between two cards. */
export const GAP = 8;
/** A card that was never seen is as high as this until others tell better. */
const GUESS = 96;
/** What has the focus stays in the document, unless it lies this many cards away. */
const REACH = 1_000;

/** The cards of a column that are in the document, and the room of those before and behind. */
export interface Slice {
  first: number;
  last: number;
  before: number;
  after: number;
}

/** Which of cards of these heights show between two places, and always the one that is held. */
export function sliceOf(heights: readonly number[], from: number, to: number, held: number | null): Slice {
  const count = heights.length;
  if (count <= SHORT) return { first: 0, last: count, before: 0, after: 0 };
  const ends: number[] = [];
  let end = 0;
  for (const height of heights) ends.push((end += height + GAP));
  const whole = end;
  const behind = (place: number) => {
    const at = ends.findIndex((one) => one > place);
    return at < 0 ? count - 1 : at;
  };
  let first = behind(Math.max(0, from - OVER));
  let last = behind(to + OVER) + 1;
  if (held !== null && held < first && first - held <= REACH) first = held;
  if (held !== null && held >= last && held - last < REACH) last = held + 1;
  const startOf = (at: number) => (at === 0 ? 0 : (ends[at - 1] ?? 0));
  return { first, last, before: startOf(first), after: whole - startOf(last) };
}

/** How high cards are: as they were seen, and for the others like those. */
class Heights {
  readonly #seen = new Map<string, number>();
  #sum = 0;

  of(id: string): number {
    return this.#seen.get(id) ?? (this.#seen.size === 0 ? GUESS : Math.round(this.#sum / this.#seen.size));
  }

  /** Notes a height; whether it is another than before. */
  note(id: string, height: number): boolean {
    const before = this.#seen.get(id);
    if (before === height) return false;
    this.#seen.set(id, height);
    this.#sum += height - (before ?? 0);
    return true;
  }
}

/**
 * Keeps a column of any length to the cards in view. Cards are as high as their words: what was seen is
 * measured, the rest is taken to be like it. On a phone the whole board scrolls, else the column does.
 */
export function useSlice(cards: readonly { id: string }[], held: string | null): Slice & { list: RefObject<HTMLDivElement | null> } {
  const list = useRef<HTMLDivElement>(null);
  // Written after a paint, and only steers what the next one holds.
  const [heights] = useState(() => new Heights());
  const [, measured] = useReducer((times: number) => times + 1, 0);
  const [view, setView] = useState({ from: 0, to: 1_200 });
  const isLong = cards.length > SHORT;

  useEffect(() => {
    if (!isLong) return;
    const look = () => {
      const box = list.current;
      if (box === null) return;
      const rect = box.getBoundingClientRect();
      const begin = rect.top - box.scrollTop;
      const from = Math.floor((Math.max(0, rect.top) - begin) / STEP) * STEP;
      const to = Math.ceil((Math.min(window.innerHeight, rect.bottom) - begin) / STEP) * STEP;
      setView((before) => (before.from === from && before.to === to ? before : { from, to }));
    };
    look();
    // Whatever scrolls: the event is only heard on its way down.
    document.addEventListener("scroll", look, { capture: true, passive: true });
    window.addEventListener("resize", look);
    return () => {
      document.removeEventListener("scroll", look, { capture: true });
      window.removeEventListener("resize", look);
    };
  }, [isLong]);

  const at = held === null ? -1 : cards.findIndex(({ id }) => id === held);
  const slice = sliceOf(cards.map(({ id }) => heights.of(id)), view.from, view.to, at < 0 ? null : at);
  const { first, last } = slice;

  useLayoutEffect(() => {
    if (!isLong) return;
    let changed = false;
    for (const item of list.current?.querySelectorAll<HTMLElement>("[data-item]") ?? []) {
      if (item.dataset.item === undefined) continue;
      if (heights.note(item.dataset.item, item.offsetHeight)) changed = true;
    }
    if (changed) measured();
  }, [isLong, heights, cards, first, last]);
  return { ...slice, list };
}
