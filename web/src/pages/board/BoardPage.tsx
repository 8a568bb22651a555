import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { issueAttentionQuery, type Attention } from "@/api/queries/issues";
import { counted } from "@/format/number";
import { useFollowedProjects } from "@/live/hooks";
import { useProjectAtHand } from "@/shell/project";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Bar, Commands, Empty, Failed } from "@/ui/states";
import { HUES } from "@/ui/status";
import { Icon } from "@/ui/Icon";
import { useBoard } from "./columns";
import { Columns } from "./Columns";
import { FileDialog } from "./FileDialog";
import { Filters } from "./Filters";
import { IssueList } from "./IssueList";
import { COLUMNS } from "./moves";
import { readBoardSearch } from "./search";
import { lookOfAttention, wordOf } from "./words";

/** A project's board, as it changes (W21). */
export function BoardPage() {
  const { key } = useParams({ from: "/shell/p/$key/board" });
  const { view, ...filter } = useSearch({ from: "/shell/p/$key/board" });
  const navigate = useNavigate();
  const { project } = useProjectAtHand();
  useFollowedProjects(project === null ? [] : [project.id]);
  const [filing, setFiling] = useState(false);
  const { board, columns, onMore } = useBoard(key, filter);
  const filtered = Object.keys(filter).length > 0;
  const total = columns.reduce((sum, column) => sum + column.count, 0);
  return (
    <>
      <title>{`Board · ${key} · Proofhouse`}</title>
      <div className="flex shrink-0 flex-wrap items-center gap-x-4 gap-y-1.5 border-b border-line px-4 py-2">
        <h1 className="text-lg font-semibold">Board</h1>
        <Filters />
        <div className="ml-auto flex items-center gap-2">
          <p role="status" className="num text-sm text-faint max-sm:sr-only">{board.data !== undefined && counted(total, "issue")}</p>
          <Button
            look="quiet" icon={view === "list" ? "gate" : "menu"}
            onClick={() => void navigate({ to: "/p/$key/board", params: { key }, search: view === "list" ? filter : { ...filter, view: "list" }, replace: true })}
          >
            {view === "list" ? "Columns" : "List"}
          </Button>
          <Button look="primary" icon="plus" onClick={() => setFiling(true)}>New issue</Button>
        </div>
      </div>
      <AttentionStrip project={key} asked={filter.attention} />
      {board.error !== null && board.data === undefined && (
        <Failed what="The board could not be loaded" error={board.error} busy={board.isFetching} onRetry={() => void board.refetch()} />
      )}
      {board.isPending && <Skeleton />}
      {board.data !== undefined && total === 0 && !filtered && (
        <Empty icon="board" title="No issue yet" action={<Button look="primary" icon="plus" onClick={() => setFiling(true)}>File the first issue</Button>}>
          <p>An issue is a piece of work: what is to be, and what has to hold when it is done. It stands here in a column and moves as people and runs work on it.</p>
          <p>From the command line, in the project&apos;s folder:</p>
          <Commands lines={[`proofhouse issue new "Sign-in fails with a blank password" --kind bug`]} />
        </Empty>
      )}
      {board.data !== undefined && total === 0 && filtered && (
        <Empty icon="filter" title="No issue fits" action={<Button icon="cross" onClick={() => void navigate({ to: "/p/$key/board", params: { key }, search: {}, replace: true })}>Clear the filter</Button>}>
          <p>The project has issues, but none that fits these filters.</p>
        </Empty>
      )}
      {board.data !== undefined && total > 0 && (view === "list"
        ? <IssueList filter={filter} project={key} />
        : <Columns columns={columns} project={key} onMore={onMore} />)}
      {filing && (
        <FileDialog
          project={key} onClose={() => setFiling(false)}
          onFiled={(issue) => void navigate({ to: "/p/$key/issues/$number", params: { key, number: String(issue.number) } })}
        />
      )}
    </>
  );
}

/** What asks for a person; a click shows only that. */
function AttentionStrip({ project, asked }: { project: string; asked: Attention | undefined }) {
  const { data } = useQuery(issueAttentionQuery(project));
  const navigate = useNavigate({ from: "/p/$key/board" });
  if (data === undefined) return null;
  const all: readonly (readonly [Attention, number])[] = [["question", data.questions], ["review", data.to_review], ["failed", data.failed], ["plan", data.to_plan]];
  const shown = all.filter(([word, number]) => number > 0 || word === asked);
  if (shown.length === 0) return null;
  return (
    <div role="group" aria-label="Asks for you" className="flex shrink-0 flex-wrap gap-1.5 border-b border-line px-4 py-1.5">
      {shown.map(([word, number]) => {
        const look = lookOfAttention(word);
        if (look === null) return null;
        const on = asked === word;
        return (
          <button
            key={word} type="button" aria-pressed={on}
            onClick={() => void navigate({ search: (now) => readBoardSearch({ ...now, attention: on ? undefined : word }), replace: true })}
            className={cx("flex h-6 items-center gap-1.5 rounded-md border px-2 text-sm max-sm:h-8", HUES[look.hue].text, on ? `${HUES[look.hue].tint} ${HUES[look.hue].line}` : "border-line hover:bg-well")}
          >
            <Icon name={look.icon} size={13} />
            <span className="num">{number}</span> {look.word}
          </button>
        );
      })}
    </div>
  );
}

/** Columns where columns will be (W3). */
function Skeleton() {
  return (
    <div role="status" aria-label="Loading the board" className="flex min-h-0 flex-1 gap-3 overflow-hidden p-3 max-sm:flex-col">
      {COLUMNS.map((status) => (
        <div key={status} className="flex min-w-44 flex-1 flex-col gap-2 rounded-lg bg-panel p-3 max-sm:flex-none">
          <span className="text-soft">{wordOf(status)}</span>
          <Bar width="80%" />
          <Bar width="60%" />
        </div>
      ))}
    </div>
  );
}
