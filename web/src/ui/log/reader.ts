import { problemOf, Refused } from "@/api/problem";
import { LineIndex } from "./lines";

/** Bytes that lie on the server, or a text that is here. */
export type LogSource = { url: string } | { text: string };

/** What is asked for at once. */
const RANGE = 1 << 20;
/** As much of it is kept: beyond, what was looked at longest ago is asked for again. */
const KEPT = 96;
/** As much of one line is read; the rest is for the download. */
export const LINE_BYTES = 16_384;

/**
 * Reads a log by ranges: once through, to know where its lines are, and then what is looked at. What is
 * looked at goes first.
 */
export class LogReader {
  readonly index = new LineIndex();
  readonly #url: string | null;
  #stop = new AbortController();
  readonly #parts = new Map<number, Uint8Array>();
  readonly #coming = new Map<number, Promise<Uint8Array>>();
  readonly #listeners = new Set<() => void>();
  readonly #utf8 = new TextDecoder();
  #version = 0;
  #told = false;
  /** Null until the server has said it. */
  size: number | null = null;
  error: unknown = null;

  constructor(source: LogSource) {
    if ("url" in source) {
      this.#url = source.url;
      return;
    }
    this.#url = null;
    const bytes = new TextEncoder().encode(source.text);
    for (let from = 0; from < bytes.length; from += RANGE) this.#parts.set(from / RANGE, bytes.subarray(from, from + RANGE));
    this.index.add(bytes);
    this.size = bytes.length;
  }

  /** Rises when there is something new to show. */
  get version(): number {
    return this.#version;
  }

  /** Whether all lines are known. */
  get isWhole(): boolean {
    return this.size !== null && this.index.scanned === this.size;
  }

  listen = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Reads it once through. Call it again after a failure: it goes on where it was. */
  async scan(): Promise<void> {
    const stop = new AbortController();
    this.#stop = stop;
    this.error = null;
    try {
      while (!this.isWhole) {
        const bytes = await this.#part(Math.floor(this.index.scanned / RANGE));
        // Another look has taken over, or there is less than the server said.
        if (stop.signal.aborted || bytes.length === 0) break;
        this.index.add(bytes);
      }
    } catch (error) {
      if (!stop.signal.aborted) this.error = error;
    }
    this.#tell();
  }

  /** Stops what is on its way. */
  end(): void {
    this.#stop.abort();
  }

  /** The text of a line from 0; null while its bytes are on their way. What was cut off is in `rest`. */
  line(line: number): { text: string; rest: number } | null {
    const { from, to } = this.index.span(line);
    const end = Math.min(to, from + LINE_BYTES);
    const bytes = this.#here(from, end);
    if (bytes === null) return null;
    const text = this.#utf8.decode(bytes);
    return { text: text.endsWith("\r") ? text.slice(0, -1) : text, rest: to - end };
  }

  /** The text of whole lines, when it has come. */
  async text(from: number, to: number): Promise<string> {
    const [start, end] = [this.index.span(from).from, this.index.span(to - 1).to];
    for (let at = Math.floor(start / RANGE); at * RANGE < end; at += 1) await this.#part(at);
    return this.#utf8.decode(this.#here(start, end) ?? new Uint8Array());
  }

  #here(from: number, to: number): Uint8Array | null {
    const first = Math.floor(from / RANGE);
    const last = Math.max(first, Math.floor((to - 1) / RANGE));
    const pieces: Uint8Array[] = [];
    for (let at = first; at <= last; at += 1) {
      const part = this.#parts.get(at);
      if (part === undefined) {
        if (from < to) this.#part(at).then(() => this.#tell(), () => undefined);
        else return new Uint8Array();
        return null;
      }
      pieces.push(part.subarray(Math.max(0, from - at * RANGE), to - at * RANGE));
    }
    if (pieces.length === 1) return pieces[0] ?? null;
    const joined = new Uint8Array(to - from);
    let at = 0;
    for (const piece of pieces) {
      joined.set(piece, at);
      at += piece.length;
    }
    return joined;
  }

  #part(at: number): Promise<Uint8Array> {
    const known = this.#parts.get(at);
    if (known !== undefined) {
      // The newest looked at is the last to go.
      this.#parts.delete(at);
      this.#parts.set(at, known);
      return Promise.resolve(known);
    }
    const coming = this.#coming.get(at);
    if (coming !== undefined) return coming;
    const asked = this.#fetch(at).finally(() => this.#coming.delete(at));
    this.#coming.set(at, asked);
    return asked;
  }

  async #fetch(at: number): Promise<Uint8Array> {
    if (this.#url === null) return new Uint8Array();
    const from = at * RANGE;
    const response = await fetch(this.#url, {
      headers: { range: `bytes=${from}-${from + RANGE - 1}` }, signal: this.#stop.signal, cache: "no-store",
    });
    // Nothing in this range: it is empty.
    if (response.status === 416) {
      this.size = Number(response.headers.get("content-range")?.split("/")[1] ?? 0);
      return new Uint8Array();
    }
    if (!response.ok) throw new Refused(problemOf(await response.json().catch(() => null), response.status));
    const whole = new Uint8Array(await response.arrayBuffer());
    const total = response.status === 206 ? Number(response.headers.get("content-range")?.split("/")[1] ?? NaN) : whole.length;
    this.size = Number.isFinite(total) ? total : from + whole.length;
    const bytes = response.status === 206 ? whole : whole.subarray(from, from + RANGE);
    this.#parts.set(at, bytes);
    if (this.#parts.size > KEPT) {
      const oldest = this.#parts.keys().next().value;
      if (oldest !== undefined) this.#parts.delete(oldest);
    }
    this.#tell();
    return bytes;
  }

  /** What comes together is one paint. */
  #tell(): void {
    if (this.#told) return;
    this.#told = true;
    setTimeout(() => {
      this.#told = false;
      this.#version += 1;
      for (const listener of this.#listeners) listener();
    }, 16);
  }
}
