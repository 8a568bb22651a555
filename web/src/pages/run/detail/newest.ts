import type { Span, Spans } from "@/live/spans";

/** What one who follows a run looks at: the command that began last and goes on, else what ended last. */
export function newest(spans: Spans | undefined): Span | undefined {
  let best: Span | undefined;
  for (const span of spans?.values() ?? []) {
    if (span.family !== "command") continue;
    const ahead = best === undefined || (best.to === null) !== (span.to === null) ? span.to === null || best === undefined : span.opened > best.opened;
    if (ahead) best = span;
  }
  return best;
}
