import type { Shape } from "@/api/client";
import { count } from "./number";

/** `$12.30`, `$1,200.00`, `$0.0042`: as many digits as it takes to see that it is not nothing. */
export function dollars(micros: number): string {
  const usd = Math.abs(micros) / 1e6;
  const digits = usd === 0 ? 0 : usd >= 0.01 ? 2 : usd >= 0.0001 ? 4 : 6;
  return `${micros < 0 ? "-" : ""}$${usd.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

/** An amount as it stands in a box: exact, and no more digits than that takes. */
export function typed(micros: number): string {
  const [whole = "0", part = ""] = (micros / 1e6).toFixed(6).split(".");
  return `${whole}.${part.replace(/0{1,4}$/, "")}`;
}

/** Whole micro-USD of what somebody typed, such as `2.50` or `$1,000`; null when it is no amount, or finer than that. */
export function microsOf(text: string): number | null {
  const bare = text.trim().replace(/^\$/, "").replace(/,(?=\d{3}(?:\D|$))/g, "");
  if (!/^\d{1,9}(?:\.\d{1,6})?$/.test(bare)) return null;
  const [whole = "", part = ""] = bare.split(".");
  return Number(whole) * 1_000_000 + Number(part.padEnd(6, "0"));
}

/** `$0.0042`, `$12.30`: never 0 for what nobody knows (W7). */
export function money(cost: Shape<"Cost"> | null | undefined): string {
  if (cost === null || cost === undefined) return "unknown";
  const shown = dollars(cost.nano_usd / 1_000);
  switch (cost.state) {
    case "unknown":
      return cost.nano_usd > 0 ? `${shown} and more` : "unknown";
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
