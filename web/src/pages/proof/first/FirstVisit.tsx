import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { capture, gatesQuery, runnersQuery } from "@/api/queries/proof";
import { documentQuery, putDocument } from "@/api/queries/settings";
import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { Bar, Code, Failed } from "@/ui/states";
import { useProof } from "../context";
import { allowedBy, starterOf } from "./starter";

/** The first visit: from nothing to the first proven requirement, in three presses (P77). */
export function FirstVisit() {
  const { project, notAdmin, readOnly, openCapture, start, active } = useProof();
  const client = useQueryClient();
  const runners = useQuery(runnersQuery(project));
  const gates = useQuery(gatesQuery(project));
  const policy = useQuery(documentQuery(project, "policy"));
  const [wish] = useState(() => crypto.randomUUID());
  const starter = runners.data === undefined || gates.data === undefined ? null : starterOf(gates.data.items, runners.data.items);
  const hasPolicy = policy.data !== undefined && policy.data.revision > 0;

  const allow = useMutation({
    mutationFn: () => putDocument(project, "policy", { ...runners.data?.starter_policy }, policy.data?.revision ?? 0),
    onSettled: () => client.invalidateQueries({ queryKey: keys.settings(project) }),
  });
  const prove = useMutation({
    mutationFn: async () => {
      if (starter === null) return;
      await capture(project, starter.body, wish);
      start.start({ mode: "full" });
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.proof(project) }),
  });
  const failed = [runners, gates, policy].find((query) => query.error !== null && query.data === undefined);
  if (failed !== undefined) return <Failed what="The repository could not be looked at" error={failed.error} busy={failed.isFetching} onRetry={() => void failed.refetch()} />;
  const allowed = runners.data === undefined ? [] : allowedBy(runners.data.starter_policy);
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto flex max-w-2xl flex-col gap-5 px-4 py-8">
        <header className="flex flex-col gap-1.5">
          <h2 className="text-xl font-semibold">Prove the first requirement</h2>
          <p className="text-soft">
            A requirement is something that must hold. Its gates are commands of your repository that show it. Proofhouse runs them, keeps exactly what
            they showed, and says when it no longer holds.
          </p>
        </header>
        <ol className="flex flex-col">
          <Step at={1} title="What was found in the repository" done={runners.data !== undefined && starter !== null}>
            {runners.isPending || gates.isPending ? (
              <div role="status" aria-label="Looking at the repository" className="flex flex-col gap-2"><Bar width="50%" /><Bar width="40%" /></div>
            ) : (
              <ul className="flex flex-col gap-1">
                {(runners.data?.items ?? []).map((runner) => (
                  <li key={runner.runner}>
                    <span className="font-medium">{visible(runner.runner)}</span>
                    <span className="text-soft">{runner.roots.some((root) => root !== "") && ` in ${runner.roots.map((root) => (root === "" ? "the top folder" : visible(root))).join(", ")}`}: gates {runner.gates.join(", ")}</span>
                    {runner.missing.map((tool) => (
                      <p key={tool.tool} className="flex gap-1.5 text-warning"><Icon name="warning" size={14} className="mt-0.5" /> {visible(tool.tool)} is missing: {visible(tool.hint)}</p>
                    ))}
                  </li>
                ))}
                {runners.data?.items.length === 0 && starter === null && (
                  <li className="text-soft">
                    No test suite that is known. Name a command as a gate in <code>proofhouse.toml</code>:
                    <pre tabIndex={0} className="mt-2 overflow-x-auto rounded-md border border-line bg-panel px-3 py-2 text-sm text-ink">{EXAMPLE}</pre>
                    <Button className="mt-2" icon="retry" busy={runners.isFetching} onClick={() => void Promise.all([runners.refetch(), gates.refetch()])}>Look again</Button>
                  </li>
                )}
                {runners.data?.items.length === 0 && starter !== null && <li className="text-soft">The gate <span className="font-medium text-ink">{starter.gate}</span> of <code>proofhouse.toml</code>.</li>}
              </ul>
            )}
          </Step>
          <Step at={2} title={hasPolicy ? "What gates may run is decided" : "Let its commands run"} done={hasPolicy}>
            {hasPolicy ? (
              <p className="text-soft">The project&apos;s policy is saved; it can be changed in the settings.</p>
            ) : (
              <>
                <p className="text-soft">Nothing runs without a policy. This one allows these programs in the repository, {runners.data?.starter_policy.network === "on" ? "with" : "without"} network:</p>
                <p className="flex min-h-5 flex-wrap gap-1.5">{runners.data === undefined && <Bar width="12rem" />}{allowed.map((program) => <code key={program} className="rounded-sm bg-well px-1.5 text-sm">{visible(program)}</code>)}</p>
                <div className="flex items-center gap-3">
                  <Button look="primary" icon="check" autoFocus={runners.data !== undefined} busy={allow.isPending} blocked={notAdmin ?? (runners.data === undefined || policy.data === undefined ? "The repository is being looked at" : null)} onClick={() => allow.mutate()}>
                    Allow these
                  </Button>
                  {allow.error !== null && <Refusal error={allow.error} />}
                </div>
              </>
            )}
          </Step>
          <Step at={3} title="Prove that the test suite passes" done={false} last>
            <p className="text-soft">
              {starter === null ? "This captures a first requirement and runs its gate." : <>Captures <span className="text-ink">“{visible(starter.body.title)}”</span>, proved by the gate <span className="text-ink">{starter.gate}</span>, and runs it.</>}
            </p>
            <div className="flex flex-wrap items-center gap-3">
              <Button
                look={hasPolicy ? "primary" : "plain"} icon="play" busy={prove.isPending || start.isStarting}
                blocked={readOnly ?? (!hasPolicy ? "First let its commands run" : starter === null ? "No gate was found" : active !== null ? "A run is active" : null)}
                onClick={() => prove.mutate()}
              >
                Capture and run
              </Button>
              <Button look="quiet" icon="plus" blocked={readOnly} onClick={openCapture}>Or write down a glitch of your own</Button>
              {prove.error !== null && <Refusal error={prove.error} />}
            </div>
          </Step>
        </ol>
      </div>
    </div>
  );
}

const EXAMPLE = `[proof.gates.unit]
runner = "command"
argv = ["make", "test"]`;

function Refusal({ error }: { error: Error }) {
  const problem = problemFrom(error);
  return (
    <p role="alert" className="min-w-0 break-words text-bad">
      {problem.detail} (<Code code={problem.code} />) <span className="text-soft">{problem.hint}</span>
    </p>
  );
}

function Step({ at, title, done, last = false, children }: { at: number; title: string; done: boolean; last?: boolean; children: ReactNode }) {
  return (
    <li className="grid grid-cols-[1.75rem_minmax(0,1fr)] gap-x-3">
      <div className="flex flex-col items-center">
        <span className={cx("num flex size-7 shrink-0 items-center justify-center rounded-full border font-semibold", done ? "border-good/40 bg-good-tint text-good" : "border-line-strong text-soft")}>
          {done ? <Icon name="check" size={14} /> : at}
        </span>
        {!last && <span aria-hidden="true" className="w-px flex-1 bg-line" />}
      </div>
      <div className={cx("flex flex-col gap-2", !last && "pb-5")}>
        <h3 className="leading-7 font-semibold">{title}{done && <span className="sr-only"> (done)</span>}</h3>
        {children}
      </div>
    </li>
  );
}
