import { answered, api } from "@/api/client";
import { isEntry, type Entry } from "@/live/protocol";

/** What is shown of a journal. */
export interface Filter {
  kinds: readonly string[];
  least: Entry["level"];
}

/** Entries kept: some pages around what is looked at. */
const KEPT = 4_000;
const PAGE = 200;

/**
 * The entries of a journal that are looked at, by their numbers. What is missing is asked for, a page at
 * a time; what a live connection brings comes in by itself.
 */
export class Entries {
  readonly #run: string;
  readonly #known = new Map<number, Entry>();
  readonly #listeners = new Set<() => void>();
  #wanted: { numbers: readonly number[]; filter: Filter } | null = null;
  #busy = false;
  #version = 0;
  error: unknown = null;

  constructor(run: string) {
    this.#run = run;
  }

  get version(): number {
    return this.#version;
  }

  listen = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  get(seq: number): Entry | null {
    return this.#known.get(seq) ?? null;
  }

  /** Takes in what has come another way. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#known.delete(entry.seq);
      this.#known.set(entry.seq, entry);
    }
    for (const seq of this.#known.keys()) {
      if (this.#known.size <= KEPT) break;
      this.#known.delete(seq);
    }
    this.#tell();
  }

  /** Asks for what is missing of these numbers, which are in order. The newest wish counts. */
  want(numbers: readonly number[], filter: Filter): void {
    this.#wanted = { numbers, filter };
    if (!this.#busy && this.error === null) void this.#ask();
  }

  retry(): void {
    this.error = null;
    this.#tell();
    void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#busy = true;
    try {
      for (let missing = this.#missing(); missing !== null; missing = this.#missing()) {
        const { filter } = this.#wanted ?? { filter: { kinds: [], least: "debug" } };
        const page = await answered(
          api.GET("/api/v1/runs/{run}/entries", {
            params: {
              path: { run: this.#run },
              query: {
                since: missing - 1, limit: PAGE,
                ...(filter.kinds.length === 0 ? {} : { kind: filter.kinds.join(",") }),
                ...(filter.least === "debug" ? {} : { level: filter.least }),
              },
            },
          }),
        );
        const entries = page.items.filter((item): item is Entry & typeof item => isEntry(item));
        this.add(entries);
        // Nothing came where something was expected: it is past its retention by now.
        if (!this.#known.has(missing)) break;
      }
    } catch (error) {
      this.error = error;
      this.#tell();
    }
    this.#busy = false;
  }

  #missing(): number | null {
    return this.#wanted?.numbers.find((seq) => !this.#known.has(seq)) ?? null;
  }

  #tell(): void {
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }
}
