import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { artifactsQuery, artifactTextQuery, artifactUrl, contextQuery } from "@/api/queries/dispatch";
import { issueOfRunQuery } from "@/api/queries/issues";
import { runQuery, type Run } from "@/api/queries/runs";
import { bytes, counted } from "@/format/number";
import { money, tokens } from "@/format/money";
import { shortId, visible } from "@/format/text";
import { duration } from "@/format/time";
import type { LiveRun } from "@/live/run";
import { RequirementsOf } from "@/pages/issue/RequirementsOf";
import { Button } from "@/ui/Button";
import { Copy } from "@/ui/Copy";
import { Dialog } from "@/ui/Dialog";
import { Icon } from "@/ui/Icon";
import { Bar, Failed } from "@/ui/states";
import { Status } from "@/ui/Status";
import { isTerminal, lookOfRun } from "@/ui/status";
import { Followups } from "./Followups";
import { wordsOf } from "./foreign";
import { PhaseLine } from "./PhaseLine";
import { Waiting } from "./Waiting";

type Drawer = "context" | "prompt" | "answer";

/** What a dispatch run is: its way, its agent, what it was told, and what came of it. */
export function DispatchFacts({ run, project, told }: { run: Run; project: string; told: LiveRun | null }) {
  const [open, setOpen] = useState<Drawer | null>(null);
  const issue = useQuery({ ...issueOfRunQuery(project, run.issue ?? ""), enabled: run.issue != null });
  const dispatch = run.dispatch ?? null;
  if (dispatch === null) return null;
  const agent = dispatch.agent ?? null;
  const report = dispatch.report ?? null;
  const config = run.config;
  const asked = typeof config.agent === "string" ? config.agent : null;
  return (
    <section aria-label="The dispatch" className="flex shrink-0 flex-col gap-2 border-b border-line px-4 py-2">
      <PhaseLine run={run} told={told} />
      <Waiting run={run} />
      <dl className="flex flex-wrap gap-x-5 gap-y-1 text-sm">
        {issue.data !== undefined && (
          <Fact name="Issue">
            <Link to="/p/$key/issues/$number" params={{ key: project, number: String(issue.data.number) }} className="underline underline-offset-2">#{issue.data.number} {visible(issue.data.title)}</Link>
          </Fact>
        )}
        <Fact name="Role">{visible(dispatch.role.id)} {visible(dispatch.role.version)}{dispatch.role.origin === "project" && ", the project's own"}</Fact>
        <Fact name="Agent">
          {visible(agent?.name ?? asked ?? "not chosen")}{agent?.version != null && ` ${visible(agent.version)}`}{agent?.model != null && `, ${visible(agent.model)}`}
          {agent?.simulated === true && <span className="ml-1 rounded-sm bg-warning-tint px-1 text-warning">simulated</span>}
        </Fact>
        {dispatch.base != null && <Fact name="From"><code>{dispatch.base_name != null && dispatch.base_name !== dispatch.base ? `${visible(dispatch.base_name)} ` : ""}{dispatch.base.slice(0, 10)}</code></Fact>}
        {agent !== null && (
          <>
            <Fact name="Tokens">{tokens(agent.usage)}</Fact>
            <Fact name="Cost">{money(agent.cost)}</Fact>
            <Fact name="Agent took">{duration(agent.took_ms)}</Fact>
          </>
        )}
        {report !== null && (
          <Fact name="Files">
            {counted(report.files_changed, "file")} changed{report.files_refused > 0 && <span className="text-bad">, {report.files_refused} refused</span>}
            {issue.data !== undefined && <>, <Link to="/p/$key/issues/$number" params={{ key: project, number: String(issue.data.number) }} search={{ tab: "changes", run: run.id }} className="underline underline-offset-2">look at them</Link></>}
          </Fact>
        )}
        {report?.branch != null && <Fact name="Branch"><code className="break-all">{visible(report.branch)}</code><span className="-my-1.5 inline-block align-middle"><Copy text={report.branch} label="Copy the branch's name" /></span></Fact>}
        {dispatch.proof_run != null && <Fact name="Proof"><RunLink id={dispatch.proof_run} project={project} /></Fact>}
        {run.retry_of != null && <Fact name="Tries again"><RunLink id={run.retry_of} project={project} /></Fact>}
      </dl>
      {report?.test_instructions != null && <Words title="How to check it" text={report.test_instructions} />}
      {report !== null && report.risks.length > 0 && <Words title={counted(report.risks.length, "risk")} text={report.risks.map(wordsOf).join("\n")} />}
      {report !== null && run.issue != null && <Followups run={run.id} issue={run.issue} project={project} pieces={report.followups} />}
      {isTerminal(run.status) && issue.data !== undefined && <RequirementsOf project={project} number={issue.data.number} dispatch={run.id} />}
      <div className="flex flex-wrap gap-2">
        <Button look="quiet" icon="file" onClick={() => setOpen("context")}>What it was told</Button>
        <Button look="quiet" icon="file" onClick={() => setOpen("prompt")}>Prompt</Button>
        <Button look="quiet" icon="file" onClick={() => setOpen("answer")}>Answer</Button>
      </div>
      {open === "context" && <ContextDrawer run={run.id} onClose={() => setOpen(null)} />}
      {open === "prompt" && <TextDrawer title="The prompt" name="rendered-prompt.md" run={run.id} onClose={() => setOpen(null)} />}
      {open === "answer" && <TextDrawer title="The answer" name="answer.md" run={run.id} onClose={() => setOpen(null)} />}
    </section>
  );
}

/** The run that a proof run was started by (D38). */
export function StartedBy({ run, project }: { run: Run; project: string }) {
  if (run.parent == null) return null;
  return <p className="text-sm text-soft">Proves what <RunLink id={run.parent} project={project} /> made</p>;
}

function RunLink({ id, project }: { id: string; project: string }) {
  const { data } = useQuery(runQuery(id));
  return (
    <span className="inline-flex items-center gap-1.5">
      <Link to="/p/$key/runs/$run" params={{ key: project, run: id }} className="font-mono underline underline-offset-2">run {shortId(id)}</Link>
      {data !== undefined && <Status look={lookOfRun(data.status, data.verdict)} />}
    </span>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex min-w-0 items-baseline gap-1.5">
      <dt className="shrink-0 text-faint">{name}</dt>
      <dd className="num min-w-0 break-words">{children}</dd>
    </div>
  );
}

function Words({ title, text }: { title: string; text: string }) {
  return (
    <details>
      <summary className="text-soft">{title}</summary>
      <p className="max-h-60 overflow-y-auto pt-1 break-words whitespace-pre-wrap">{visible(text)}</p>
    </details>
  );
}

/** The context pack: how much of what, and what the budget took. */
function ContextDrawer({ run, onClose }: { run: string; onClose: () => void }) {
  const context = useQuery(contextQuery(run));
  const data = context.data;
  const dropped = Object.values(data?.dropped ?? {}).reduce((sum, number) => sum + number, 0);
  return (
    <Dialog title="What the agent was told" shape="sheet" onClose={onClose}>
      <div className="flex flex-col gap-3 p-4">
        {context.isPending && <p role="status" aria-label="Loading the context"><Bar width="60%" /></p>}
        {data === undefined && context.error !== null && <Failed what="The context could not be loaded" error={context.error} busy={context.isFetching} onRetry={() => void context.refetch()} />}
        {data?.available === false && <p className="text-soft">It is not available for this run: nothing was prepared for its agent.</p>}
        {data?.available === true && (
          <>
            {dropped > 0 && <p className="flex items-center gap-2 text-warning"><Icon name="warning" />{counted(dropped, "item")} did not fit and were left out</p>}
            <dl className="flex flex-wrap gap-x-5 gap-y-1 text-sm">
              {data.bytes != null && <Fact name="Size">{bytes(data.bytes)}</Fact>}
              {data.role != null && <Fact name="For">{visible(data.role)}{data.intent != null && ` (${data.intent})`}</Fact>}
              {data.scale != null && <Fact name="The issue is">{data.scale}</Fact>}
            </dl>
            <table className="w-full text-sm">
              <caption className="sr-only">Sources of the context</caption>
              <thead><tr className="text-left text-faint"><th scope="col" className="font-normal">Source</th><th scope="col" className="text-right font-normal">Told</th><th scope="col" className="text-right font-normal">Left out</th></tr></thead>
              <tbody>
                {Object.entries(data.counts).map(([name, number]) => (
                  <tr key={name} className="border-t border-line">
                    <th scope="row" className="py-1 text-left font-normal">{visible(name.replaceAll("_", " "))}</th>
                    <td className="num text-right">{number}</td>
                    <td className={`num text-right ${(data.dropped[name] ?? 0) > 0 ? "text-warning" : "text-faint"}`}>{data.dropped[name] ?? 0}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            {data.warnings.length > 0 && <ul aria-label="Warnings" className="flex flex-col text-warning">{data.warnings.map((warning) => <li key={warning} className="break-words">{visible(warning)}</li>)}</ul>}
            <a href={`/api/v1/runs/${run}/context?raw=1`} download="context-pack.json" className="w-fit underline underline-offset-2">Download the whole of it</a>
          </>
        )}
      </div>
    </Dialog>
  );
}

/** Text that the run keeps under a name; its newest, when attempts left several. */
function TextDrawer({ title, name, run, onClose }: { title: string; name: string; run: string; onClose: () => void }) {
  const artifacts = useQuery(artifactsQuery(run));
  const artifact = artifacts.data?.findLast((one) => one.name === name && !one.expired);
  const text = useQuery({ ...artifactTextQuery(artifact?.id ?? ""), enabled: artifact !== undefined });
  const error = artifacts.error ?? text.error;
  return (
    <Dialog title={title} shape="sheet" onClose={onClose}>
      <div className="flex flex-col gap-3 p-4">
        {(artifacts.isPending || text.isLoading) && <p role="status" aria-label={`Loading: ${title}`}><Bar width="60%" /></p>}
        {error !== null && text.data === undefined && <Failed what={`${title} could not be loaded`} error={error} onRetry={() => void (artifacts.error !== null ? artifacts.refetch() : text.refetch())} />}
        {artifacts.data !== undefined && artifact === undefined && <p className="text-soft">There is none yet for this run.</p>}
        {artifact !== undefined && text.data !== undefined && (
          <>
            <a href={artifactUrl(artifact.id)} download={artifact.name} className="w-fit underline underline-offset-2">Download, {bytes(artifact.bytes)}</a>
            {text.data.length < artifact.bytes && artifact.bytes > 512 * 1024 && <p role="note" className="text-warning">Only its beginning is shown.</p>}
            <pre tabIndex={0} className="max-h-[75vh] overflow-auto rounded-md border border-line bg-panel px-3 py-2 text-sm break-words whitespace-pre-wrap">{visible(text.data)}</pre>
          </>
        )}
      </div>
    </Dialog>
  );
}
