import type { Data } from "@/live/protocol";

/** Ids and digests say little to a person. */
const OPAQUE = /^([0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{40})/;

/** An entry's data in one line: names and values, ids and digests last. */
export function summary(data: Data, most = 400): string {
  const words: string[] = [];
  let length = 0;
  const opaque = (value: unknown) => (typeof value === "string" && OPAQUE.test(value) ? 1 : 0);
  for (const [name, value] of Object.entries(data).sort(([, a], [, b]) => opaque(a) - opaque(b))) {
    if (value === null || value === "" || length > most) continue;
    const word = `${name}=${brief(value)}`;
    words.push(word);
    length += word.length + 1;
  }
  const line = words.join(" ");
  return line.length > most ? `${line.slice(0, most)}…` : line;
}

function brief(value: unknown): string {
  if (typeof value === "string") return value.slice(0, 300).replace(/\s+/g, " ");
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return JSON.stringify(value).slice(0, 200);
}
