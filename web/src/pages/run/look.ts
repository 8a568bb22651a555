import type { Span } from "@/live/spans";
import type { Look } from "@/ui/status";

const ICONS = { good: "check", bad: "cross", warning: "dash", neutral: "check", running: "running" } as const;

/** How a span looks: by shape, colour and word. */
export function lookOfSpan(span: Span): Look {
  return { hue: span.hue, icon: ICONS[span.hue], word: span.to === null ? "running" : span.end };
}
