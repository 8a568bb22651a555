import type { FileRow } from "@/api/queries/dispatch";
import type { FileDiff } from "./diff";

/** A file of a change: what the report says of it, and how it differs. */
export interface ChangedFile {
  /** Unique among the files of a change: a path may be refused and applied in the same answer. */
  id: string;
  path: string;
  row: FileRow | null;
  diff: FileDiff | null;
}

/** The files of a change in the order of their folders; what was refused, and what was only named, comes last. */
export function filesOf(rows: readonly FileRow[], diffs: readonly FileDiff[]): ChangedFile[] {
  const left = new Map(diffs.map((diff) => [diff.path, diff]));
  const files = rows.map((row, at): ChangedFile => {
    const changes = row.action === "created" || row.action === "overwritten" || row.action === "deleted";
    const diff = changes ? (left.get(row.path) ?? null) : null;
    if (diff !== null) left.delete(row.path);
    return { id: `${at} ${row.path}`, path: row.path, row, diff };
  });
  // What the commit has and the report does not name: a rename, as git sees it.
  for (const diff of left.values()) files.push({ id: `d ${diff.path}`, path: diff.path, row: null, diff });
  const last = (file: ChangedFile) => (file.row === null ? 0 : file.row.action === "refused" ? 1 : file.row.action === "listed" || file.row.action === "unchanged" ? 2 : 0);
  return files.sort((a, b) => last(a) - last(b) || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** The folder of a path, with its slash; empty at the top. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}
