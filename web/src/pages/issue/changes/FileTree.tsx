import type { ChangedFile } from "./files";
import { folderOf } from "./files";
import { visible } from "@/format/text";
import { count } from "@/format/number";
import { ACTIONS } from "@/pages/run/dispatch/words";
import { cx } from "@/ui/classes";
import { StatusMark } from "@/ui/Status";

interface FileTreeProps {
  files: readonly ChangedFile[];
  chosen: string | undefined;
  comments: ReadonlyMap<string, number>;
  onChoose: (id: string) => void;
}

/** The files of a change by their folders. */
export function FileTree({ files, chosen, comments, onChoose }: FileTreeProps) {
  return (
    <nav aria-label="Changed files" className="max-h-[70vh] min-w-0 overflow-y-auto lg:w-64 lg:shrink-0">
      <ul className="flex flex-col">
        {files.map((file, at) => {
          const folder = folderOf(file.path);
          const before = files[at - 1];
          const begins = folder !== "" && (before === undefined || folderOf(before.path) !== folder);
          return (
            <li key={file.id}>
              {begins && <p className="truncate pt-1 font-mono text-sm text-faint" title={visible(folder)}>{visible(folder)}</p>}
              <button
                type="button"
                aria-current={file.id === chosen || undefined}
                onClick={() => onChoose(file.id)}
                className={cx("flex w-full min-w-0 items-center gap-1.5 rounded-md px-1.5 py-0.5 text-left text-sm", folder !== "" && "pl-4", file.id === chosen ? "bg-accent-tint" : "hover:bg-well")}
              >
                {file.row !== null && <StatusMark look={ACTIONS[file.row.action]} />}
                <span className="min-w-0 flex-1 truncate font-mono" title={visible(file.path)}>{visible(file.path.slice(folder.length)) || "(no name)"}</span>
                {file.row?.sensitive === true && <span className="shrink-0 text-warning">sensitive</span>}
                {(comments.get(file.path) ?? 0) > 0 && <span className="num shrink-0 text-accent">{count(comments.get(file.path) ?? 0)} said</span>}
                {file.diff !== null && !file.diff.binary && (
                  <span className="num shrink-0 text-faint">
                    <span className="text-good">+{count(file.diff.added)}</span> <span className="text-bad">−{count(file.diff.removed)}</span>
                  </span>
                )}
              </button>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}
