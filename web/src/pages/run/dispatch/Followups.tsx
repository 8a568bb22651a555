import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { fileFollowup } from "@/api/queries/dispatch";
import { issueLineageQuery } from "@/api/queries/issues";
import { keys } from "@/api/queries/keys";
import { counted } from "@/format/number";
import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { Code } from "@/ui/states";
import { problemFrom } from "@/api/problem";
import { wordsOf } from "./foreign";

/** Work that an agent left: a person files it, each piece once (D49). */
export function Followups({ run, issue, project, pieces }: { run: string; issue: string; project: string; pieces: readonly unknown[] }) {
  const lineage = useQuery(issueLineageQuery(project, issue));
  if (pieces.length === 0) return null;
  const filed = new Map(
    (lineage.data?.descendants ?? [])
      .filter((step) => step.lineage.kind === "followup" && step.lineage.run === run && step.issue != null)
      .map((step) => [step.lineage.piece ?? 0, step.issue?.number ?? 0]),
  );
  return (
    <section aria-label="What is left to do" className="flex flex-col gap-1">
      <h2 className="font-medium">{counted(pieces.length, "follow-up")}</h2>
      <ul className="flex flex-col gap-1">
        {pieces.map((piece, at) => <Piece key={at} run={run} project={project} number={at + 1} words={wordsOf(piece)} filed={filed.get(at + 1) ?? null} />)}
      </ul>
    </section>
  );
}

function Piece({ run, project, number, words, filed }: { run: string; project: string; number: number; words: string; filed: number | null }) {
  const client = useQueryClient();
  const file = useMutation({
    mutationFn: (place: "child" | "sibling") => fileFollowup(run, number, place),
    onSettled: () => Promise.all([client.invalidateQueries({ queryKey: keys.issues(project) }), client.invalidateQueries({ queryKey: keys.board(project) })]),
  });
  const at = file.data?.number ?? filed;
  const problem = file.error === null ? null : problemFrom(file.error);
  return (
    <li className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
      <span className="min-w-0 break-words whitespace-pre-wrap">{visible(words)}</span>
      {at !== null ? (
        <Link to="/p/$key/issues/$number" params={{ key: project, number: String(at) }} className="underline underline-offset-2">filed as #{at}</Link>
      ) : (
        <span className="flex gap-2">
          <Button icon="plus" busy={file.isPending && file.variables === "child"} onClick={() => file.mutate("child")}>File as a part</Button>
          <Button icon="plus" busy={file.isPending && file.variables === "sibling"} onClick={() => file.mutate("sibling")}>File beside it</Button>
        </span>
      )}
      {problem !== null && <span role="alert" className="text-bad">{problem.detail}. {problem.hint} (<Code code={problem.code} />)</span>}
    </li>
  );
}
