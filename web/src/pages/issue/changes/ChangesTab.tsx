import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useRef, useState } from "react";
import { changeCommentsQuery, diffQuery, sendComments, type ChangeComment } from "@/api/queries/dispatch";
import { issueRunsQuery, type Issue } from "@/api/queries/issues";
import { keys } from "@/api/queries/keys";
import type { Run } from "@/api/queries/runs";
import { bytes, counted } from "@/format/number";
import { shortId, visible } from "@/format/text";
import { ago, instant } from "@/format/time";
import { lookOfWork, REFUSALS } from "@/pages/run/dispatch/words";
import { Button } from "@/ui/Button";
import { useNow } from "@/ui/clock";
import { Copy } from "@/ui/Copy";
import { Select } from "@/ui/Field";
import { save } from "@/ui/save";
import { Commands, Failed, SkeletonRows } from "@/ui/states";
import { StatusBadge } from "@/ui/Status";
import { isTerminal } from "@/ui/status";
import { Refusal } from "../Refusal";
import { CommentForm, Said } from "./Comments";
import { DiffTable, type Place } from "./DiffTable";
import { parseDiff } from "./diff";
import { FileTree } from "./FileTree";
import { filesOf, type ChangedFile } from "./files";

/** What the runs of an issue made, to be looked at and commented on (S99). */
export function ChangesTab({ issue, project }: { issue: Issue; project: string }) {
  const runs = useQuery(issueRunsQuery(project, issue.id));
  const comments = useQuery(changeCommentsQuery(project, issue.id));
  const { run: wanted } = useSearch({ from: "/shell/p/$key/issues/$number" });
  const navigate = useNavigate({ from: "/p/$key/issues/$number" });
  const now = useNow();
  if (runs.isPending) return <SkeletonRows rows={6} columns={["12rem", "60%"]} label="Loading the changes" />;
  if (runs.data === undefined) return <Failed what="The changes could not be loaded" error={runs.error} busy={runs.isFetching} onRetry={() => void runs.refetch()} />;
  const made = runs.data.items.filter((run) => run.dispatch?.report != null);
  const shown = made.find((run) => run.id === wanted) ?? made[0];
  if (shown === undefined) return <p className="text-soft">No run has changed anything for this issue yet. Hand it to a role, and what comes back stands here.</p>;
  const earlier = (comments.data ?? []).filter((comment) => comment.run !== shown.id);
  return (
    <div className="flex flex-col gap-3">
      {made.length > 1 && (
        <label className="flex items-center gap-2 text-soft">
          Made by
          <Select value={shown.id} onChange={(event) => void navigate({ search: { tab: "changes", run: event.target.value }, replace: true })}>
            {made.map((run, at) => <option key={run.id} value={run.id}>run {shortId(run.id)}, {ago(instant(run.created_at), now)}{at === 0 ? ", the newest" : ""}</option>)}
          </Select>
        </label>
      )}
      <Change key={shown.id} run={shown} newest={shown === made[0]} issue={issue} project={project} comments={(comments.data ?? []).filter((comment) => comment.run === shown.id)} />
      {comments.error !== null && comments.data === undefined && <Failed what="The comments could not be loaded" error={comments.error} busy={comments.isFetching} onRetry={() => void comments.refetch()} />}
      {earlier.length > 0 && (
        <details>
          <summary className="text-soft">{counted(earlier.length, "comment")} on other changes</summary>
          <div className="flex flex-col gap-3 pt-2">
            {earlier.map((comment) => <Said key={comment.id} comment={comment} project={project} outdated />)}
          </div>
        </details>
      )}
    </div>
  );
}

interface ChangeProps {
  run: Run;
  newest: boolean;
  issue: Issue;
  project: string;
  comments: readonly ChangeComment[];
}

function Change({ run, newest, issue, project, comments }: ChangeProps) {
  const report = run.dispatch?.report ?? null;
  const commit = report?.commit ?? null;
  const diff = useQuery(diffQuery(run.id, commit));
  const { file: wanted, split } = useSearch({ from: "/shell/p/$key/issues/$number" });
  const navigate = useNavigate({ from: "/p/$key/issues/$number" });
  const [writing, write] = useState<{ file: string; place: Place; quoted: string } | null>(null);
  const ground = useRef<HTMLElement>(null);
  const text = diff.data?.text;
  const files = useMemo(() => filesOf(report?.files ?? [], text === undefined ? [] : parseDiff(text)), [report, text]);
  const chosen = files.find((file) => file.id === wanted) ?? files[0];
  const choose = (id: string) => {
    write(null);
    void navigate({ search: (now) => ({ ...now, tab: "changes" as const, file: id }), replace: true });
  };
  const said = new Map<string, number>();
  for (const comment of comments) said.set(comment.path, (said.get(comment.path) ?? 0) + 1);
  const look = lookOfWork(run.status, run.verdict);
  const branch = report?.branch ?? null;
  return (
    <section
      ref={ground} aria-label={`What run ${shortId(run.id)} changed`} className="flex flex-col gap-3"
      onKeyDown={(event) => {
        const typing = event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
        if (typing || event.ctrlKey || event.metaKey || event.altKey || (event.key !== "n" && event.key !== "p")) return;
        event.preventDefault();
        const at = files.findIndex((file) => file.id === chosen?.id) + (event.key === "n" ? 1 : -1);
        const next = files[Math.min(files.length - 1, Math.max(0, at))];
        if (next === undefined || next.id === chosen?.id) return;
        choose(next.id);
        requestAnimationFrame(() => ground.current?.querySelector<HTMLElement>("[data-file]")?.focus());
      }}
    >
      <header className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <StatusBadge look={look} />
        <p className="min-w-0 break-words text-soft">{visible(run.dispatch?.message ?? "")}</p>
        <span className="ml-auto flex flex-wrap gap-2">
          {text !== undefined && text !== "" && (
            <>
              <Button look="quiet" aria-pressed={split === true} onClick={() => void navigate({ search: ({ split: was, ...now }) => ({ ...now, tab: "changes" as const, ...(was === true ? {} : { split: true as const }) }), replace: true })}>
                {split === true ? "One column" : "Side by side"}
              </Button>
              <Button look="quiet" icon="download" onClick={() => save(new Blob([text], { type: "text/x-diff" }), `${branch?.replaceAll("/", "-") ?? shortId(run.id)}.patch`)} blocked={diff.data?.truncated === true ? "It is too large to be downloaded here; git diff has all of it" : null}>
                Download patch
              </Button>
            </>
          )}
          <SendAll run={run} newest={newest} project={project} issue={issue} comments={comments} />
        </span>
      </header>
      {branch !== null && (
        <div className="flex flex-wrap items-center gap-1">
          <span className="text-sm text-faint">Branch</span> <code className="break-all">{visible(branch)}</code> <Copy text={branch} label="Copy the branch's name" />
        </div>
      )}
      {branch !== null && <Commands lines={[`git switch ${branch}`]} />}
      {report?.summary != null && <details><summary className="text-soft">What the agent says</summary><p className="pt-1 break-words whitespace-pre-wrap">{visible(report.summary)}</p></details>}
      {diff.isLoading && <SkeletonRows rows={6} columns={["3rem", "60%"]} label="Loading the difference" />}
      {diff.error !== null && diff.data === undefined && <Failed what="The difference could not be loaded" error={diff.error} busy={diff.isFetching} onRetry={() => void diff.refetch()} />}
      {diff.data?.truncated === true && <p role="note" className="text-warning">The difference is too large to be shown whole; what follows is its beginning. On the branch, <code>git diff</code> shows all of it.</p>}
      {files.length === 0 && !diff.isLoading && <p className="text-soft">No file was changed.</p>}
      {chosen !== undefined && (
        <div className="flex flex-col gap-4 lg:flex-row lg:items-start">
          <FileTree files={files} chosen={chosen.id} comments={said} onChoose={choose} />
          <div className="min-w-0 flex-1" data-file={chosen.id} tabIndex={-1}>
            <Shown
              key={chosen.id} file={chosen} split={split === true} waits={commit !== null && text === undefined}
              below={(place) => {
                const here = comments.filter((one) => one.path === chosen.path && one.side === place.side && one.line === place.line);
                const form = writing !== null && writing.file === chosen.id && writing.place.side === place.side && writing.place.line === place.line;
                if (here.length === 0 && !form) return null;
                return (
                  <div key={`${place.side}${place.line}`} className="flex flex-col gap-3">
                    {here.map((one) => <Said key={one.id} comment={one} project={project} />)}
                    {form && <CommentForm run={run.id} project={project} path={chosen.path} place={place} quoted={writing.quoted} onClose={() => write(null)} />}
                  </div>
                );
              }}
              onComment={(place, quoted) => write({ file: chosen.id, place, quoted })}
            />
          </div>
        </div>
      )}
    </section>
  );
}

/** A file: why it was refused, or how it differs; what is no text, by its size. */
function Shown({ file, split, waits, below, onComment }: { file: ChangedFile; split: boolean; waits: boolean; below: (place: Place) => React.ReactNode; onComment: (place: Place, text: string) => void }) {
  const { row, diff } = file;
  return (
    <div className="flex flex-col gap-2">
      <h2 className="flex flex-wrap items-center gap-x-2 font-mono break-all">
        {visible(file.path) || "(no name)"} <Copy text={file.path} label="Copy the path" />
        {diff?.from != null && <span className="text-sm text-soft">was {visible(diff.from)}</span>}
        {row !== null && <span className="font-sans text-sm text-soft">{row.action}, {bytes(row.bytes)}</span>}
      </h2>
      {row?.sensitive === true && <p role="note" className="text-warning">Sensitive: this file decides what runs where. Look at it before you take the branch.</p>}
      {row?.action === "refused" && row.reason != null && (
        <p className="rounded-md border border-bad/40 bg-bad-tint px-3 py-2 break-words">
          <span className="font-medium text-bad">Refused:</span> {REFUSALS[row.reason]}{row.detail != null && `: ${visible(row.detail)}`} (<code>{row.reason}</code>)
        </p>
      )}
      {diff === null && row !== null && row.action !== "refused" && !waits && <p className="text-soft">{row.action === "listed" ? "The agent only named it; nothing was written." : row.action === "unchanged" ? "It was so already." : "How it differs is not in what was loaded."}</p>}
      {diff?.binary === true && <p className="text-soft">It is no text: {row === null ? "its contents differ" : bytes(row.bytes)}.</p>}
      {diff !== null && !diff.binary && diff.hunks.length === 0 && <p className="text-soft">Its contents are the same.</p>}
      {diff !== null && !diff.binary && diff.hunks.length > 0 && <DiffTable file={diff} split={split} below={below} onComment={onComment} />}
    </div>
  );
}

/** Sends what was said to the agent, which goes on from its own work. */
function SendAll({ run, newest, project, issue, comments }: ChangeProps) {
  const client = useQueryClient();
  const [key, setKey] = useState(() => crypto.randomUUID());
  const send = useMutation({
    mutationFn: () => sendComments(run.id, key),
    onSettled: () => {
      setKey(crypto.randomUUID());
      return Promise.all([client.invalidateQueries({ queryKey: keys.issues(project) }), client.invalidateQueries({ queryKey: keys.board(project) })]);
    },
  });
  const active = !isTerminal(run.status) || (issue.run != null && !isTerminal(issue.run.status));
  // While a run is at work they wait for the next prompt; those that wait already are not sent again.
  const unsent = comments.filter((comment) => comment.sent == null && !(active && comment.queued != null)).length;
  const blocked = unsent === 0 ? "Comment on a line first: with c, or by its number" : null;
  return (
    <>
      <Button look={unsent > 0 && newest ? "primary" : "plain"} icon="play" busy={send.isPending} blocked={blocked} onClick={() => send.mutate()}>Send all ({unsent})</Button>
      {send.error !== null && <Refusal what="Not sent" error={send.error} />}
      {send.isSuccess && <span role="status" className="text-soft">{send.data.joined ? "Kept: a run is at work, and the next prompt for this issue tells them" : `Sent: run ${shortId(send.data.run)} goes on from here`}</span>}
    </>
  );
}
