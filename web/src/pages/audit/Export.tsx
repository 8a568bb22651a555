import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { problemFrom } from "@/api/problem";
import { count } from "@/format/number";
import type { Entry } from "@/live/protocol";
import { Button } from "@/ui/Button";
import { Menu, MenuItem } from "@/ui/Menu";
import { save } from "@/ui/save";
import { fileOf, type Format } from "./file";

/** Takes along what the filter shows, to its very beginning. */
export function Export({ project, fits, filtered }: { project: string; fits: (entry: Entry) => boolean; filtered: boolean }) {
  const [read, setRead] = useState(0);
  const take = useMutation({
    mutationFn: async (format: Format) => {
      setRead(0);
      const file = await fileOf(project, format, fits, setRead, new AbortController().signal);
      save(file, `audit-${project}${filtered ? "-filtered" : ""}.${format}`);
    },
  });
  const problem = take.error === null ? null : problemFrom(take.error);
  return (
    <>
      <Menu align="end" trigger={<Button icon="download" busy={take.isPending}>{take.isPending ? `${count(read)} read` : "Export"}</Button>}>
        <MenuItem icon="file" hint=".jsonl" onSelect={() => take.mutate("jsonl")}>{filtered ? "What is found, as JSON lines" : "Everything, as JSON lines"}</MenuItem>
        <MenuItem icon="board" hint=".csv" onSelect={() => take.mutate("csv")}>{filtered ? "What is found, as a table" : "Everything, as a table"}</MenuItem>
      </Menu>
      {problem !== null && <p role="alert" className="basis-full break-words text-bad">Not exported: {problem.detail} {problem.hint}</p>}
    </>
  );
}
