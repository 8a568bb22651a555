import type { Shape } from "@/api/client";
import { count } from "./number";

/** `$0.0042`, `$12.30`: never 0 for what nobody knows (W7). */
export function money(cost: Shape<"Cost"> | null | undefined): string {
  if (cost === null || cost === undefined) return "unknown";
  const usd = cost.nano_usd / 1e9;
  const shown = usd === 0 ? "$0" : usd < 0.01 ? `$${usd.toFixed(4)}` : `$${usd.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  switch (cost.state) {
    case "unknown":
      return usd > 0 ? `${shown} and more` : "unknown";
    case "estimated":
      return `about ${shown}`;
    case "reported":
    case "computed":
      return shown;
  }
}

/** `12,300 in, 450 out`. */
export function tokens(usage: Shape<"Usage"> | null | undefined): string {
  if (usage === null || usage === undefined) return "unknown";
  const known = [
    [usage.input, "in"], [usage.cached_input, "cached"], [usage.output, "out"],
  ].filter((part): part is [number, string] => typeof part[0] === "number");
  return known.length === 0 ? "unknown" : known.map(([number, word]) => `${count(number)} ${word}`).join(", ");
}
