import type { Shape } from "@/api/client";
import type { ChangeBody, Requirement } from "@/api/queries/proof";

/** A rule as it is being changed. */
export interface RuleEdit {
  /** Null for one that is new. */
  id: string | null;
  how: Shape<"RuleHow">;
  test: string;
  runner: string | null;
  /** Whether it counts, or is only shown. */
  counts: boolean;
}

/** A requirement as it is being changed. */
export interface Edit {
  title: string;
  description: string;
  severity: Shape<"Severity">;
  kind: Shape<"Kind">;
  source: Shape<"Source">;
  /** One place a line, each with its prefix. */
  where: string;
  url: string;
  /** The number of the issue that it is about; empty for none. */
  issue: string;
  /** The gates, with their rules; without rules the plane makes a test. */
  gates: readonly GateEdit[];
}

export interface GateEdit {
  gate: string;
  rules: readonly RuleEdit[];
}

const PLACES = [["files", "file"], ["routes", "route"], ["apis", "api"], ["components", "component"], ["tags", "tag"]] as const;

/** The fields in the order of the form, by the names that a person knows. */
export const FIELDS = [
  ["title", "What must hold"], ["description", "What was seen"], ["where", "Where"], ["severity", "Severity"], ["kind", "Kind"], ["source", "Seen in"], ["url", "Link"], ["issue", "Issue"], ["gates", "Gates"],
] as const satisfies readonly (readonly [keyof Edit, string])[];

export type Field = (typeof FIELDS)[number][0];

/** What there is to change of a requirement. */
export function editOf(requirement: Requirement): Edit {
  const { title, description, severity, kind, source, scope } = requirement;
  return {
    title, description, severity, kind, source,
    where: PLACES.flatMap(([name, prefix]) => scope[name].map((place) => `${prefix}: ${place}`)).join("\n"),
    url: requirement.source_url ?? "",
    issue: requirement.issue ?? "",
    gates: requirement.obligations.map(({ gate, rules }) => ({
      gate,
      rules: rules.map((rule) => ({ id: rule.id, how: rule.how, test: rule.test ?? "", runner: rule.runner ?? null, counts: rule.must_pass })),
    })),
  };
}

/** The fields in which two differ. */
export function differing(one: Edit, other: Edit): Field[] {
  return FIELDS.map(([name]) => name).filter((name) => JSON.stringify(one[name]) !== JSON.stringify(other[name]));
}

/** What is sent: only what was changed, so that nothing else is overwritten. */
export function changesOf(before: Edit, edit: Edit): ChangeBody {
  const body: ChangeBody = {};
  for (const name of differing(before, edit)) {
    if (name === "where") {
      if (edit.where.trim() === "") body.scope = { files: [], routes: [], apis: [], components: [], tags: [] };
      else body.where = edit.where;
    } else if (name === "url") body.source_url = edit.url.trim() === "" ? null : edit.url.trim();
    else if (name === "issue") body.issue = edit.issue.trim() === "" ? null : edit.issue.trim();
    else if (name === "gates") {
      const same = before.gates.map(({ gate }) => gate).sort().join() === edit.gates.map(({ gate }) => gate).sort().join();
      if (!same) body.gates = edit.gates.map(({ gate }) => gate);
      const rules = edit.gates.filter((one) => one.rules.length > 0 && JSON.stringify(one) !== JSON.stringify(gateOf(before, one.gate))).flatMap(asked);
      if (rules.length > 0) body.rules = rules;
    } else if (name === "title" || name === "description") body[name] = edit[name].trim();
    else Object.assign(body, { [name]: edit[name] });
  }
  return body;
}

function asked({ gate, rules }: GateEdit): Shape<"AskRule">[] {
  return rules.map(({ how, test, runner, counts }) => ({
    gate, how, must_pass: counts, ...(how === "test" && test.trim() !== "" ? { test: test.trim() } : {}), ...(runner === null ? {} : { runner }),
  }));
}

function gateOf(edit: Edit, gate: string): GateEdit | undefined {
  return edit.gates.find((one) => one.gate === gate);
}

/** One way in which less is asked for than before. */
export interface Less {
  gate: string;
  words: string;
}

/** In which ways less is asked for (P12): what an admin decides, with a reason. */
export function lessIn(before: Edit, edit: Edit): Less[] {
  return before.gates.flatMap(({ gate, rules }): Less[] => {
    const after = gateOf(edit, gate);
    if (after === undefined) return [{ gate, words: "the gate is no longer asked for" }];
    return rules.flatMap((rule) => {
      const kept = after.rules.find(({ id }) => id === rule.id);
      if (!rule.counts) return [];
      if (kept === undefined) return [{ gate, words: `${nameOf(rule)} is no longer asked for` }];
      if (kept.how !== rule.how || kept.test.trim() !== rule.test || kept.runner !== rule.runner) return [{ gate, words: `${nameOf(rule)} is replaced by another rule` }];
      return kept.counts ? [] : [{ gate, words: `${nameOf(rule)} is shown and no longer counts` }];
    });
  });
}

export function nameOf({ how, test }: RuleEdit): string {
  return how === "suite" ? "the whole suite" : how === "review" ? "the review" : test === "" ? "a new test" : test;
}

/** What keeps it from being saved; null when nothing does. */
export function missingIn(before: Edit, edit: Edit, reason: string): string | null {
  if (differing(before, edit).length === 0) return "Nothing was changed";
  if (edit.title.trim() === "") return "Say in one line what must hold";
  if (edit.description.trim() === "") return "Say what was seen";
  if (edit.gates.length === 0) return "Leave at least one gate: a requirement that should hold no longer is waived";
  for (const { gate, rules } of edit.gates) {
    if (rules.length > 0 && rules.every(({ counts }) => !counts)) return `Leave a rule of ${gate} that counts`;
  }
  return lessIn(before, edit).length > 0 && reason.trim() === "" ? "Say why less is asked for" : null;
}

/** What was written, on top of what somebody else made of it meanwhile: their fields where none of mine differ. */
export function rebased(before: Edit, theirs: Edit, mine: Edit): Edit {
  const own = new Set(differing(before, mine));
  return Object.fromEntries(FIELDS.map(([name]) => [name, own.has(name) ? mine[name] : theirs[name]])) as unknown as Edit;
}

/** A field's value in a line or more, to be read beside another's. */
export function inWords(edit: Edit, field: Field): string {
  if (field !== "gates") return edit[field];
  return edit.gates.map(({ gate, rules }) => `${gate}: ${rules.map((rule) => nameOf(rule) + (rule.counts ? "" : " (shown, not judged)")).join(", ")}`).join("\n");
}
