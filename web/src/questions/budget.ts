import type { Pool } from "@/api/queries/ledger";
import type { Question } from "@/api/queries/questions";
import { used, type Standing } from "@/budget/standing";
import { dollars, microsOf, typed } from "@/format/money";

/** What a question about money says when it is asked; amounts are micro-USD. */
export interface BudgetAsk {
  pool: Pool["pool"];
  /** The UTC day that it is about. */
  day: string;
  phase: string;
  cap: number;
  spent: number;
  reserved: number;
  wanted: number;
  /** What the day has room for; null is no cap. */
  dayLeft: number | null;
  /** The most that one answer may add. */
  most: number;
}

/** Reads the schema of a question; null when it is not one about money that this page knows. */
export function askOf({ kind, schema }: Pick<Question, "kind" | "schema">): BudgetAsk | null {
  if (kind !== "budget") return null;
  const amount = (name: string) => (typeof schema[name] === "number" ? schema[name] : null);
  const [cap, spent, reserved, wanted] = [amount("cap_micro_usd"), amount("spent_micro_usd"), amount("reserved_micro_usd"), amount("wanted_micro_usd")];
  const most = amount("max_top_up_micro_usd");
  const { pool, day, phase } = schema;
  if ((pool !== "run" && pool !== "day") || typeof day !== "string") return null;
  if (cap === null || spent === null || reserved === null || wanted === null || most === null) return null;
  return { pool, day, phase: typeof phase === "string" ? phase : "", cap, spent, reserved, wanted, dayLeft: amount("day_left_micro_usd"), most };
}

/** How the pool stood when it was asked. */
export function standingAsked({ cap, spent, reserved }: BudgetAsk): Standing {
  return { known: spent, held: 0, reserved, cap, toppedUp: 0 };
}

/** What is missing for what is wanted. */
export function needOf(ask: BudgetAsk, now: Standing): number {
  return Math.max(1, now.cap === null ? 0 : used(now) + ask.wanted - now.cap);
}

/** What a person types. */
export interface Draft {
  amount: string;
  /** Null takes what the day is short of. */
  day: string | null;
}

export interface Read {
  /** Micro-USD for the pool that is used up. */
  amount: number | null;
  /** Micro-USD for the day beside it; 0 where it needs none. */
  day: number | null;
  /** How much the day is short of the amount. */
  short: number;
  wrong: { amount: string | null; day: string | null };
}

const HOW = "Write dollars, such as 2.50";

/** What the boxes say, and what is wrong with it. */
export function read(draft: Draft, { pool, most }: Pick<BudgetAsk, "pool" | "most">, dayLeft: number | null): Read {
  const amount = microsOf(draft.amount);
  const fits = (micros: number | null) => (micros === null ? HOW : micros === 0 ? "More than nothing" : micros > most ? `At most ${dollars(most)} at once` : null);
  const short = pool === "run" && amount !== null && dayLeft !== null ? Math.max(0, amount - dayLeft) : 0;
  const day = short === 0 ? 0 : draft.day === null ? short : microsOf(draft.day);
  const wrongDay = short === 0 ? null : (fits(day) ?? (day !== null && day < short ? `At least ${dollars(short)}: the day has ${dollars(dayLeft ?? 0)} left` : null));
  return { amount, day, short, wrong: { amount: fits(amount), day: wrongDay } };
}

/** The answer that raises caps. */
export function topUp({ pool }: Pick<BudgetAsk, "pool">, { amount, day }: Read, reason: string): Record<string, unknown> {
  return {
    decision: "top_up",
    ...(pool === "run" ? { micro_usd: amount } : { day_micro_usd: amount }),
    ...(pool === "run" && day !== null && day > 0 ? { day_micro_usd: day } : {}),
    ...(reason.trim() === "" ? {} : { reason: reason.trim() }),
  };
}

/** What a question is called: one about money says what is used up, the others what they are about. */
export function titleOf(question: Question): string {
  const ask = askOf(question);
  if (ask === null) return question.subject;
  return ask.pool === "run" ? "The run has used up its budget" : `The budget of ${ask.day} (UTC) is used up`;
}

/** What is offered: just enough. */
export function offered(ask: BudgetAsk, now: Standing): string {
  return typed(Math.min(needOf(ask, now), Math.max(ask.most, 1)));
}
