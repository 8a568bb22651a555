import { visible } from "@/format/text";
import { list, number, object, text, type Data, type Entry } from "@/live/protocol";

const DID: Readonly<Record<string, string>> = {
  "requirement.changed": "asked for less of",
  "waiver.granted": "waived",
  "waiver.revoked": "ended the waiver of",
  "waiver.expired": "the waiver ran out of",
  "definition.accepted": "accepted the definition of",
  "settings.changed": "changed the settings",
  "project.registered": "registered the project",
  "project.changed": "changed the project",
  "issue.execution": "changed who does issue",
  "issue.deleted": "deleted issue",
  "issue.forced": "started, though it waits for others, issue",
  "worker.paired": "paired the worker",
  "worker.revoked": "revoked the worker",
  "token.made": "made the token",
  "token.revoked": "revoked the token",
};

/** Who did something, as the entry names them; the plane itself where nobody is named. */
export function whoOf(data: Data): string {
  for (const name of ["actor", "by", "approved_by", "granted_by"]) {
    const actor = object(data[name]);
    const found = text(actor, "name") || text(actor, "type") || text(data, name);
    if (found !== "") return visible(found);
  }
  return "the plane";
}

/** What was done, as words of a sentence that begins with who. */
export function didOf(kind: string): string {
  return DID[kind] ?? visible(kind.replaceAll(".", " ").replaceAll("_", " "));
}

/** What it was done to. */
export function aboutOf({ data }: Entry): string {
  const issue = number(data, "number");
  if (issue !== null) return `#${issue}`;
  for (const name of ["requirement", "document", "name", "key", "label", "gate", "title"]) {
    const found = text(data, name);
    if (found !== "") return visible(found);
  }
  const gates = list(data, "gates").filter((gate) => typeof gate === "string");
  return visible(gates.join(", "));
}

/** Why, in the words of who did it. */
export function whyOf({ data }: Entry): string {
  return visible(text(data, "reason") || text(data, "because") || text(object(data.waiver), "reason"));
}

/** All that a search looks through. */
export function wordsOf(entry: Entry): string {
  return `${whoOf(entry.data)} ${didOf(entry.kind)} ${aboutOf(entry)} ${whyOf(entry)} ${entry.kind}`.toLowerCase();
}
