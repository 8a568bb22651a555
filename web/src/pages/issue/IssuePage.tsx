import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { Refused } from "@/api/problem";
import { changeIssue, issueQuery, type Issue, type IssueChange } from "@/api/queries/issues";
import { keys } from "@/api/queries/keys";
import { visible } from "@/format/text";
import { useFollowedProjects } from "@/live/hooks";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Markdown } from "@/ui/Markdown";
import { Failed, SkeletonRows } from "@/ui/states";
import { isTerminal } from "@/ui/status";
import { ArtifactsTab } from "./ArtifactsTab";
import { ChangesTab } from "./changes/ChangesTab";
import { Conversation } from "./Conversation";
import { DispatchNow } from "./dispatch/DispatchNow";
import { StartSheet } from "./dispatch/StartSheet";
import { EditForm } from "./EditForm";
import { Facts } from "./Facts";
import { IssueRuns } from "./IssueRuns";
import { LineageTab } from "./LineageTab";
import { Refusal } from "./Refusal";
import { RequirementsOf } from "./RequirementsOf";
import { readIssueSearch } from "./search";

/** An issue: its text, what it hangs together with, what was said and done about it (W22). */
export function IssuePage() {
  const { key, number } = useParams({ from: "/shell/p/$key/issues/$number" });
  const issue = useQuery(issueQuery(key, number));
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <title>{`#${number}${issue.data === undefined ? "" : ` ${visible(issue.data.title)}`} · ${key} · Proofhouse`}</title>
      {issue.data === undefined && <h1 className="sr-only">Issue #{number}</h1>}
      {issue.isPending && <SkeletonRows rows={8} columns={["6rem", "50%"]} label="Loading the issue" />}
      {issue.data === undefined && issue.error !== null && (
        <Failed what={`Issue #${number} could not be loaded`} error={issue.error} busy={issue.isFetching} onRetry={() => void issue.refetch()} />
      )}
      {issue.data !== undefined && <Shown key={issue.data.id} issue={issue.data} project={key} />}
    </div>
  );
}

function Shown({ issue, project }: { issue: Issue; project: string }) {
  useFollowedProjects([issue.project]);
  const { tab, start } = useSearch({ from: "/shell/p/$key/issues/$number" });
  const navigate = useNavigate({ from: "/p/$key/issues/$number" });
  const [editing, setEditing] = useState<Issue | null>(null);
  const [pressed, setStarting] = useState(false);
  const starting = pressed || start === true;
  const active = issue.run != null && !isTerminal(issue.run.status);
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (body: IssueChange) => changeIssue(issue.id, issue.revision, body),
    onSettled: () => Promise.all([client.invalidateQueries({ queryKey: keys.issues(project) }), client.invalidateQueries({ queryKey: keys.board(project) })]),
  });
  const tabs = [["conversation", "Conversation"], ["runs", "Runs"], ["changes", "Changes"], ["artifacts", "Artifacts"], ["lineage", "Lineage"]] as const;
  const shown = tab ?? "conversation";
  return (
    <div className={cx("mx-auto flex flex-col gap-4 p-4 lg:items-start lg:gap-8", shown === "changes" ? "max-w-[110rem]" : "max-w-6xl", shown === "changes" ? "xl:flex-row" : "lg:flex-row")}>
      <div className="flex min-w-0 flex-1 flex-col gap-4">
        {editing === null ? (
          <>
            <header className="flex items-start gap-3 max-sm:flex-wrap">
              <h1 className="min-w-0 flex-1 text-xl max-sm:basis-full font-semibold break-words">
                <span className="num font-normal text-faint">#{issue.number}</span> {visible(issue.title)}
              </h1>
              <Button
                look="primary" icon="play" onClick={() => setStarting(true)}
                blocked={issue.status === "done" || issue.status === "closed" ? "It is done or closed; open it again first" : active ? "A run works on it already" : null}
              >
                Dispatch
              </Button>
              <Button icon="pencil" onClick={() => setEditing(issue)}>Edit</Button>
            </header>
            <DispatchNow issue={issue} project={project} />
            {issue.body === "" ? <p className="text-soft">It has no text yet.</p> : <Markdown text={issue.body} level={2} />}
            {issue.acceptance.length > 0 && (
              <section aria-label="Acceptance">
                <h2 className="mb-1 font-semibold">Acceptance</h2>
                <ul className="flex flex-col gap-1">
                  {issue.acceptance.map((one) => (
                    <li key={one.id} className="flex gap-2"><span className="num shrink-0 font-mono text-sm text-faint">{one.id}</span><span className="min-w-0 break-words whitespace-pre-wrap">{visible(one.text)}</span></li>
                  ))}
                </ul>
              </section>
            )}
            <RequirementsOf project={project} number={issue.number} dispatch={issue.run?.kind === "dispatch" ? issue.run.id : null} />
          </>
        ) : (
          <>
            <h1 className="sr-only">Edit #{issue.number}</h1>
            <EditForm base={editing} project={project} onClose={() => setEditing(null)} />
          </>
        )}
        <div role="tablist" aria-label="About this issue" className="flex flex-wrap gap-1 border-b border-line">
          {tabs.map(([name, label], at) => (
            <button
              key={name} id={`tab-${name}`} type="button" role="tab" aria-selected={shown === name} aria-controls="issue-panel" tabIndex={shown === name ? 0 : -1}
              onClick={() => void navigate({ search: name === "conversation" ? {} : { tab: name }, replace: true })}
              onKeyDown={(event) => {
                const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
                const next = tabs[(at + step + tabs.length) % tabs.length]?.[0];
                if (step === 0 || next === undefined) return;
                event.preventDefault();
                void navigate({ search: next === "conversation" ? {} : { tab: next }, replace: true });
                document.getElementById(`tab-${next}`)?.focus();
              }}
              className={cx("-mb-px border-b-2 px-3 py-1.5", shown === name ? "border-accent font-medium" : "border-transparent text-soft hover:text-ink")}
            >
              {label}
              {name === "conversation" && issue.comments > 0 && <span className="num ml-1.5 text-sm text-faint">{issue.comments}</span>}
            </button>
          ))}
        </div>
        <div id="issue-panel" role="tabpanel" aria-labelledby={`tab-${shown}`}>
          {shown === "conversation" && <Conversation issue={issue} project={project} />}
          {shown === "runs" && <IssueRuns issue={issue} project={project} />}
          {shown === "changes" && <ChangesTab issue={issue} project={project} />}
          {shown === "artifacts" && <ArtifactsTab issue={issue} project={project} />}
          {shown === "lineage" && <LineageTab issue={issue} project={project} />}
        </div>
      </div>
      {starting && (
        <StartSheet
          issue={issue} project={project}
          onClose={() => { setStarting(false); void navigate({ search: (now) => readIssueSearch({ ...now, start: undefined }), replace: true }); }}
          onStarted={() => { setStarting(false); void navigate({ search: {}, replace: true }); }}
        />
      )}
      <aside aria-label="Facts" className="flex shrink-0 flex-col gap-4 lg:w-72">
        <Facts issue={issue} project={project} busy={change.isPending} onChange={(body) => change.mutate(body)} />
        {change.error !== null && (
          <Refusal what={change.error instanceof Refused && change.error.problem.status === 412 ? "It changed meanwhile; this is how it is now. Choose again" : "Not changed"} error={change.error} />
        )}
      </aside>
    </div>
  );
}
