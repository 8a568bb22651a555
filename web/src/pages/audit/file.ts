import { problemOf, Refused } from "@/api/problem";
import { isEntry, type Entry } from "@/live/protocol";
import { aboutOf, didOf, whoOf, whyOf } from "./words";

/** How an audit is taken along. */
export type Format = "jsonl" | "csv";

const HEAD = ["number", "at", "who", "what", "about", "why", "kind"].join(",");

/** A cell that a spreadsheet shows and never computes: what begins like a formula gets an apostrophe. */
export function cell(text: string): string {
  const tame = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(tame) ? `"${tame.replaceAll('"', '""')}"` : tame;
}

/** An entry as a line of a table. */
export function row(entry: Entry): string {
  return [String(entry.seq), entry.at, whoOf(entry.data), didOf(entry.kind), aboutOf(entry), whyOf(entry), entry.kind].map(cell).join(",");
}

/** Lines of a text that comes in pieces. What is left without an end was cut off, and is no line. */
export function splitter(): (piece: string) => string[] {
  let rest = "";
  return (piece) => {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    return lines;
  };
}

/**
 * The whole audit as a file, or what `fits` of it: read from the plane to its end, however little of it the page
 * has shown. Entries stay byte for byte what was chained. `told` hears how many were looked through.
 */
export async function fileOf(project: string, format: Format, fits: (entry: Entry) => boolean, told: (read: number) => void, signal: AbortSignal): Promise<Blob> {
  const response = await fetch(`/api/v1/projects/${encodeURIComponent(project)}/audit/journal.jsonl`, { signal, credentials: "same-origin" });
  if (!response.ok || response.body === null) throw new Refused(problemOf(await response.json().catch(() => null), response.status));
  const out: string[] = format === "csv" ? [HEAD] : [];
  const lines = splitter();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let read = 0;
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    for (const line of lines(piece.value)) {
      const entry: unknown = JSON.parse(line);
      if (isEntry(entry) && fits(entry)) out.push(format === "csv" ? row(entry) : line);
      read += 1;
    }
    told(read);
  }
  return new Blob([out.map((line) => `${line}\n`).join("")], { type: format === "csv" ? "text/csv;charset=utf-8" : "application/x-ndjson" });
}
