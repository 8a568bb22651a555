import { dollars, microsOf, typed } from "@/format/money";

/** What a project says about an amount: nothing of its own, so much, nothing at all, or that there is no cap. */
export type Choice = "inherit" | "amount" | "nothing" | "none";

export interface Limit {
  choice: Choice;
  /** What stands in the box, also while it is not chosen. */
  text: string;
}

export const FIELDS = [
  { name: "run_micro_usd", label: "A run may spend", help: "Its agent and its gates together, where neither the run nor its role says otherwise.", uncapped: true },
  { name: "day_micro_usd", label: "A day may cost", help: "All runs of the project together, on one UTC day.", uncapped: true },
  { name: "max_top_up_micro_usd", label: "One answer may add", help: "The most that whoever answers about a used-up budget may top it up by, at once.", uncapped: false },
] as const;

export type FieldName = (typeof FIELDS)[number]["name"];
export type Limits = Readonly<Record<FieldName, Limit>>;
type Body = Readonly<Record<string, unknown>>;

function limitOf(value: unknown): Limit {
  if (value === "none") return { choice: "none", text: "" };
  if (typeof value !== "number") return { choice: "inherit", text: "" };
  return value === 0 ? { choice: "nothing", text: "" } : { choice: "amount", text: typed(value) };
}

export function limitsOf(body: Body): Limits {
  return { run_micro_usd: limitOf(body.run_micro_usd), day_micro_usd: limitOf(body.day_micro_usd), max_top_up_micro_usd: limitOf(body.max_top_up_micro_usd) };
}

/** The document that says this; what it says beyond these amounts stays. An amount that is none is left out: see {@link wrongIn}. */
export function bodyOf(limits: Limits, before: Body): Record<string, unknown> {
  const kept = Object.entries(before).filter(([name]) => !FIELDS.some((field) => field.name === name));
  const said = FIELDS.flatMap(({ name }): [string, unknown][] => {
    const { choice, text } = limits[name];
    switch (choice) {
      case "inherit":
        return [];
      case "nothing":
        return [[name, 0]];
      case "none":
        return [[name, "none"]];
      case "amount":
        return [[name, microsOf(text)]];
    }
  });
  return Object.fromEntries([...kept, ...said]);
}

/** The most that the plane takes for an amount; it would say so in micro-USD. */
const MOST = 10_000_000_000;

/** What is wrong with what was typed. */
export function wrongIn({ choice, text }: Limit): string | null {
  const micros = choice === "amount" ? microsOf(text) : 0;
  return micros === null ? "Write dollars, such as 2.50" : micros > MOST ? `At most ${dollars(MOST)}` : null;
}

/** What an inherited amount is, in words; empty when the plane does not say. */
export function inheritedWords(inherits: Body | null | undefined, name: FieldName): string {
  const value = inherits?.[name];
  return typeof value === "number" ? dollars(value) : value === "none" ? "no cap" : "";
}
