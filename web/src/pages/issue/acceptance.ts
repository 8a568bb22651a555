import type { Shape } from "@/api/client";

type Criterion = Shape<"AcceptanceCriterion">;

/** Criteria as lines to edit. One that has several lines stays one line here. */
export function linesOf(criteria: readonly Criterion[]): string {
  return criteria.map((one) => one.text.replaceAll("\n", " ")).join("\n");
}

/** Lines as criteria: a line that was there keeps its id, and its own line breaks. */
export function criteriaOf(lines: string, known: readonly Criterion[]): Shape<"NewCriterion">[] {
  const left = [...known];
  return lines.split("\n").map((line) => line.trim()).filter((line) => line !== "").map((text) => {
    const at = left.findIndex((one) => one.text.replaceAll("\n", " ") === text);
    const same = at < 0 ? undefined : left.splice(at, 1)[0];
    return same === undefined ? { text } : { id: same.id, text: same.text };
  });
}
