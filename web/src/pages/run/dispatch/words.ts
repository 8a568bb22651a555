import type { Shape } from "@/api/client";
import { lookOfRun, type Look } from "@/ui/status";

export type FileAction = Shape<"FileRow">["action"];

/** What became of a file, by shape, colour and word. */
export const ACTIONS: Record<FileAction, Look> = {
  created: { hue: "good", icon: "plus", word: "created" },
  overwritten: { hue: "running", icon: "pencil", word: "overwritten" },
  deleted: { hue: "warning", icon: "dash", word: "deleted" },
  unchanged: { hue: "neutral", icon: "check", word: "unchanged" },
  listed: { hue: "neutral", icon: "file", word: "only named" },
  refused: { hue: "bad", icon: "cross", word: "refused" },
};

/** Why a file was refused, in words (D42). */
export const REFUSALS: Record<Shape<"FileRefusal">, string> = {
  bad_entry: "it is no file entry: a path, and contents or a deletion, are needed",
  bad_path: "the path holds control characters, a backslash, an empty or too long part, or ends in a slash",
  absolute: "the path does not start at the top of the repository",
  traversal: "the path climbs out of its folder",
  git_dir: "a part of the path could be taken for git's own folder",
  policy: "the project's policy or the role does not allow this path, or deleting",
  too_large: "the file is larger than the policy allows",
  denied_content: "it would add something that looks like a secret, or else that the policy denies",
  duplicate: "an earlier entry has the same path",
  too_many: "more files than the policy allows in one change",
  change_too_large: "all files together are larger than the policy allows",
  nested_repo: "the path lies in another repository inside this one",
  symlink: "a part of the path is a symbolic link, or the link leads where it may not",
  not_a_file: "the path is a folder, lies below a file, or is no regular file",
  ignored: "git ignores this path",
  dirty: "the file has changes in the checkout that are not committed",
  no_repo: "there is no repository to apply it to",
};

/** The phases of a dispatch in words; one that is not known shows its own name. */
const PHASES: Readonly<Record<string, string>> = {
  preparing: "gathers what the agent is told",
  waiting_for_worker: "waits for a worker",
  running: "the agent works",
  parsing: "reads the answer",
  applying: "judges and applies the files",
  submitting: "hands in",
};

export const PHASE_ORDER = ["preparing", "waiting_for_worker", "running", "parsing", "applying"] as const;

export function phaseWords(phase: string): string {
  return PHASES[phase] ?? phase;
}

const VERDICTS: Readonly<Record<string, Look>> = {
  applied: { hue: "good", icon: "check", word: "Applied" },
  no_changes: { hue: "neutral", icon: "check", word: "No changes" },
  partial: { hue: "warning", icon: "dash", word: "Applied in part" },
  unapplied: { hue: "bad", icon: "cross", word: "Not applied" },
};

/** How a run of any kind looks: by its answer where it has one, else by where it stands. */
export function lookOfWork(status: Shape<"RunStatus">, verdict: string | null | undefined): Look {
  const known = status === "completed" && typeof verdict === "string" ? VERDICTS[verdict] : undefined;
  return known ?? lookOfRun(status, verdict);
}
