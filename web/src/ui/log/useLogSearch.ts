import { useEffect, useRef, useState } from "react";
import type { LogReader } from "./reader";
import { search } from "./search";

export interface LogSearch {
  asked: string;
  ask: (text: string) => void;
  /** What is marked in lines: as asked, in lower case. */
  needle: string;
  lines: readonly number[];
  done: boolean;
  /** Which of the lines is looked at; null before the first was found. */
  at: number | null;
  /** Goes to the next hit or the one before; before there is one, as soon as there is. */
  step: (by: 1 | -1) => void;
}

interface Found {
  reader: LogReader;
  needle: string;
  lines: readonly number[];
  done: boolean;
}

/** Typing pauses this long before the text is searched. */
const PAUSE = 120;

/** A search through a log, and where one is in what it found. `onFound` is told where to go. */
export function useLogSearch(reader: LogReader, onFound: (line: number) => void): LogSearch {
  const [asked, ask] = useState("");
  const [found, setFound] = useState<Found | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const needle = asked.toLowerCase();
  // Enter before the first hit: it is kept, and done when there is one.
  const wish = useRef<1 | -1 | null>(null);
  const come = useRef(onFound);
  useEffect(() => {
    come.current = onFound;
  });
  useEffect(() => {
    if (needle === "") return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      const told = (lines: readonly number[], done: boolean) => {
        setFound({ reader, needle, lines, done });
        // The last hit is known at the end only.
        const at = wish.current === 1 ? 0 : wish.current === -1 && done ? lines.length - 1 : -1;
        const line = lines[at];
        if (line !== undefined) {
          setAt(at);
          come.current(line);
        }
        if (line !== undefined || done) wish.current = null;
      };
      // What could not be read says so itself.
      search(reader, needle, told, stop.signal).catch(() => undefined);
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [reader, needle]);
  const now = found?.needle === needle && needle !== "" ? found : null;
  const lines = now?.lines ?? [];
  const current = at !== null && lines.length > 0 ? Math.min(at, lines.length - 1) : null;
  return {
    asked,
    ask: (text) => {
      ask(text);
      setAt(null);
      wish.current = null;
    },
    needle, lines, at: current,
    done: now?.reader === reader && now.done,
    step: (by) => {
      if (lines.length === 0) {
        if (needle !== "" && !(now?.reader === reader && now.done)) wish.current = by;
        return;
      }
      const next = current === null ? (by === 1 ? 0 : lines.length - 1) : (current + by + lines.length) % lines.length;
      setAt(next);
      const line = lines[next];
      if (line !== undefined) onFound(line);
    },
  };
}
