import type { Shape } from "@/api/client";
import type { Entry } from "./protocol";

type Level = Shape<"Level">;
export const LEVELS: readonly Level[] = ["debug", "info", "warning", "error"];

/**
 * What is kept of each entry of a journal, so that 100,000 of them can be filtered and counted without
 * being held: its kind and its level. The bytes are shared by later versions, which only add behind
 * what an earlier one knows.
 */
export interface JournalIndex {
  /** The number of the first entry, less one: what came before is past its retention. */
  readonly before: number;
  readonly length: number;
  readonly kinds: readonly string[];
  readonly bytes: Shared;
}

interface Shared {
  kind: Uint16Array;
  level: Uint8Array;
  /** As far as any version has written. */
  written: number;
}

export function emptyIndex(before = 0): JournalIndex {
  return { before, length: 0, kinds: [], bytes: { kind: new Uint16Array(256), level: new Uint8Array(256), written: 0 } };
}

/** The index with entries that follow what it has. */
export function withEntries(index: JournalIndex, entries: readonly Entry[]): JournalIndex {
  if (entries.length === 0) return index;
  const length = index.length + entries.length;
  let { bytes, kinds } = index;
  // Another version has written here already, or there is no room: this one goes on in bytes of its own.
  if (bytes.written > index.length || bytes.kind.length < length) {
    const room = Math.max(bytes.kind.length, 2 ** Math.ceil(Math.log2(length)));
    const grown: Shared = { kind: new Uint16Array(room), level: new Uint8Array(room), written: 0 };
    grown.kind.set(bytes.kind.subarray(0, index.length));
    grown.level.set(bytes.level.subarray(0, index.length));
    bytes = grown;
  }
  let at = index.length;
  for (const entry of entries) {
    let kind = kinds.indexOf(entry.kind);
    if (kind < 0) {
      kind = kinds.length;
      kinds = [...kinds, entry.kind];
    }
    bytes.kind[at] = kind;
    bytes.level[at] = Math.max(0, LEVELS.indexOf(entry.level));
    at += 1;
  }
  bytes.written = length;
  return { before: index.before, length, kinds, bytes };
}

/** The numbers of the entries of these kinds (all when empty) and at least this level. */
export function matching(index: JournalIndex, kinds: ReadonlySet<string>, least: Level): Uint32Array | null {
  const level = LEVELS.indexOf(least);
  if (kinds.size === 0 && level <= 0) return null;
  const asked = index.kinds.map((kind) => kinds.size === 0 || kinds.has(kind));
  const found = new Uint32Array(index.length);
  let count = 0;
  for (let at = 0; at < index.length; at += 1) {
    if ((index.bytes.level[at] ?? 0) >= level && asked[index.bytes.kind[at] ?? 0] === true) {
      found[count] = index.before + at + 1;
      count += 1;
    }
  }
  return found.subarray(0, count);
}
