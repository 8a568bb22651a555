/** Refusals: RFC 9457 documents, and what stands in for one when there is none. */

export interface FieldError {
  pointer: string;
  message: string;
}

export interface Problem {
  /** `PH-1003`, or `offline` and `http` when the server said nothing of its own. */
  code: string;
  title: string;
  detail: string;
  hint: string;
  /** 0 when there was no answer. */
  status: number;
  errors: readonly FieldError[];
  requestId?: string;
  /** What the document says beyond the members of each problem. */
  facts: Readonly<Record<string, unknown>>;
}

/** The message for a field, from pointers such as `/title` and `/rules/0/test`. */
export function errorFor(errors: readonly FieldError[], field: string): string | null {
  const found = errors.filter(({ pointer }) => pointer === `/${field}` || pointer.startsWith(`/${field}/`));
  return found.length === 0 ? null : found.map(({ message }) => message).join("; ");
}

/** Refusals that belong to no field of the form. */
export function otherErrors(errors: readonly FieldError[], fields: readonly string[]): readonly FieldError[] {
  return errors.filter(({ pointer }) => !fields.some((field) => pointer === `/${field}` || pointer.startsWith(`/${field}/`)));
}

/** What a call throws when it was refused. */
export class Refused extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(`${problem.detail} (${problem.code})`);
    this.name = "Refused";
    this.problem = problem;
  }
}

/** The problem behind anything that was thrown. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof Refused) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return {
    code: "page",
    title: "The page made a mistake",
    detail,
    hint: "reload; if it stays, report it with the code and what you did",
    status: 0,
    errors: [],
    facts: {},
  };
}

/** Reads the body of a refusal. */
export function problemOf(body: unknown, status: number): Problem {
  const facts = record(body);
  const text = (name: string, otherwise: string) => {
    const value = facts[name];
    return typeof value === "string" && value !== "" ? value : otherwise;
  };
  const errors = Array.isArray(facts.errors) ? facts.errors.map(record) : [];
  const requestId = facts.request_id;
  return {
    code: text("code", "http"),
    title: text("title", `The server answered ${status}`),
    detail: text("detail", `The server, or something in front of it, answered with status ${status}.`),
    hint: text("hint", "try again; the server's log says more"),
    status,
    errors: errors.map((error) => ({ pointer: words(error.pointer), message: words(error.message) })),
    ...(typeof requestId === "string" ? { requestId } : {}),
    facts,
  };
}

function words(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
