import { plain } from "./ansi";
import type { LogReader } from "./reader";

/** As many lines are found at most; a search that finds more is not one yet. */
export const MOST_FOUND = 50_000;
/** Lines are looked through in pieces of about this many bytes, so that the page stays alive. */
const PIECE = 1 << 19;

/** Looks for a text in all lines known now, whatever its case; tells the lines as it goes. */
export async function search(reader: LogReader, asked: string, found: (lines: readonly number[], done: boolean) => void, signal: AbortSignal): Promise<void> {
  const wanted = asked.toLowerCase();
  const lines: number[] = [];
  const { index } = reader;
  let told = 0;
  for (let from = 0; from < index.count; ) {
    let to = from + 1;
    const limit = index.span(from).from + PIECE;
    // Doubling first, then back to the limit: lines are short, pieces are not.
    while (to < index.count && index.span(to).to < limit) to = Math.min(index.count, to + Math.max(1, Math.min(4_096, to - from)));
    const text = await reader.text(from, to);
    signal.throwIfAborted();
    const lower = text.toLowerCase();
    if (lower.includes(wanted) || text.includes("\u001b")) {
      const each = lower.split("\n");
      for (let at = 0; at < each.length && lines.length < MOST_FOUND; at += 1) {
        if (plain(each[at] ?? "").includes(wanted)) lines.push(from + at);
      }
    }
    from = to;
    if (lines.length > told) {
      told = lines.length;
      found(lines.slice(), false);
    }
    if (lines.length >= MOST_FOUND) break;
    await new Promise((resolve) => setTimeout(resolve));
    signal.throwIfAborted();
  }
  found(lines.slice(), true);
}
