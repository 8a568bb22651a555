import type { Shape } from "@/api/client";
import type { CaptureBody } from "@/api/queries/proof";
import type { Run } from "@/api/queries/runs";
import { shortId } from "@/format/text";

/** How a gate is to be proved: by a new test that is stubbed, by one that exists, or by the whole suite. */
export type Proof = { how: "stub" } | { how: "test"; name: string } | { how: "suite" };

/** A glitch as it is being written down. */
export interface Draft {
  title: string;
  description: string;
  severity: Shape<"Severity">;
  source: Shape<"Source">;
  /** Null lets the words decide. */
  kind: Shape<"Kind"> | null;
  where: string;
  url: string;
  /** The number of the issue that it is about; empty for none. */
  issue: string;
  /** Null takes what is suggested. */
  gates: readonly string[] | null;
  /** By gate; a stub where nothing is said. */
  proofs: Readonly<Record<string, Proof>>;
}

export function emptyDraft(issue = ""): Draft {
  return { title: "", description: "", severity: "medium", source: "user_report", kind: null, where: "", url: "", issue, gates: null, proofs: {} };
}

/** So many places one requirement takes. */
export const PLACES = 100;

/** A draft from a run that went wrong (P83). What must hold, a person says. */
export function draftOfRun(run: Run, failed: readonly Pick<Shape<"RunGate">, "requirement" | "gate" | "message">[], files: readonly string[], link: string): Draft {
  const why = run.failure?.message ?? "";
  const lines = failed.map(({ requirement, gate, message }) => `- ${requirement}, ${gate}: ${message}`);
  return {
    ...emptyDraft(),
    description: [`Seen in ${run.kind} run ${shortId(run.id)}${why === "" ? "." : `: ${why}`}`, ...(lines.length === 0 ? [] : ["", ...lines])].join("\n"),
    where: [...new Set(files)].slice(0, PLACES).map((path) => `file: ${path}`).join("\n"),
    url: link,
    issue: run.issue ?? "",
  };
}

/** What is sent. `gates` are those that will hold: suggested or chosen. */
export function bodyOf(draft: Draft, gates: readonly string[]): CaptureBody {
  const rules = gates.flatMap((gate): Shape<"AskRule">[] => {
    const proof = draft.proofs[gate];
    if (proof === undefined || proof.how === "stub") return [];
    return [proof.how === "suite" ? { gate, how: "suite" } : { gate, how: "test", test: proof.name.trim() }];
  });
  return {
    title: draft.title.trim(),
    // A title says enough for a beginning: what is required is not asked for twice.
    description: draft.description.trim() === "" ? draft.title.trim() : draft.description.trim(),
    severity: draft.severity,
    source: draft.source,
    ...(draft.kind === null ? {} : { kind: draft.kind }),
    ...(draft.where.trim() === "" ? {} : { where: draft.where }),
    ...(draft.url.trim() === "" ? {} : { source_url: draft.url.trim() }),
    ...(draft.issue.trim() === "" ? {} : { issue: draft.issue.trim() }),
    // Rules are for gates by name: whoever chose how to prove one has chosen the gates.
    ...(draft.gates === null && rules.length === 0 ? {} : { gates: [...(draft.gates ?? gates)] }),
    ...(rules.length === 0 ? {} : { rules }),
  };
}

/** What keeps the draft from being sent; null when nothing does. */
export function missingIn(draft: Draft): string | null {
  if (draft.title.trim() === "") return "Say in one line what went wrong";
  if (draft.gates?.length === 0) return "Choose at least one gate";
  const unnamed = Object.entries(draft.proofs).find(([gate, proof]) => proof.how === "test" && proof.name.trim() === "" && (draft.gates?.includes(gate) ?? true));
  return unnamed === undefined ? null : `Name the test that proves ${unnamed[0]}`;
}
