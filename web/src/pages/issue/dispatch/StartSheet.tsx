import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useId, useRef, useState } from "react";
import { problemFrom, type Problem } from "@/api/problem";
import { projectWorkersQuery, rolesQuery, startDispatch, suggestRole, type AgentRole } from "@/api/queries/dispatch";
import type { Issue } from "@/api/queries/issues";
import { keys } from "@/api/queries/keys";
import { documentQuery } from "@/api/queries/settings";
import { shortId, visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, Select, TextArea } from "@/ui/Field";
import { Bar, Code, Failed } from "@/ui/states";
import { agentsOf, applyOf, configOf, type Apply, type Draft } from "./draft";

interface StartSheetProps {
  issue: Pick<Issue, "id" | "number" | "title" | "execution" | "blocked">;
  project: string;
  onClose: () => void;
  onStarted: (run: string) => void;
}

const APPLY: Record<Apply, string> = {
  worktree: "On a branch of their own",
  in_place: "Into the checkout, without a commit",
  none: "Nowhere: the result is kept with the run",
};

/** Hands an issue to a role. What was chosen stays when the start is refused. */
export function StartSheet({ issue, project, onClose, onStarted }: StartSheetProps) {
  const roles = useQuery(rolesQuery(project));
  const policy = useQuery(documentQuery(project, "policy"));
  const workers = useQuery(projectWorkersQuery(project));
  const [draft, set] = useState<Draft>({
    role: issue.execution.startsWith("role:") ? issue.execution.slice(5) : "",
    agent: "", model: "", worker: "", apply: "worktree", base: "", instructions: "", prove: false,
  });
  const change = (part: Partial<Draft>) => set((now) => ({ ...now, ...part }));
  const once = useRef({ text: "", key: "" });
  const client = useQueryClient();
  const start = useMutation({
    mutationFn: (force: boolean) => {
      const config = configOf(draft, force);
      // Sent again after a lost answer, the same wish is the same run (K1).
      const text = JSON.stringify(config);
      if (once.current.text !== text) once.current = { text, key: crypto.randomUUID() };
      return startDispatch(project, issue.id, config, once.current.key);
    },
    onSuccess: (started) => {
      void client.invalidateQueries({ queryKey: keys.issues(project) });
      void client.invalidateQueries({ queryKey: keys.board(project) });
      onStarted(started.run);
    },
    // A refusal is an answer, too; the next try is another wish.
    onError: () => { once.current = { text: "", key: "" }; },
  });
  // Advice prefills; what is sent is what the person leaves chosen (D32).
  const advice = useMutation({
    mutationFn: () => suggestRole(issue.id),
    onSuccess: (told) => { if (told.role != null) change({ role: told.role }); },
  });
  const problem = start.error === null ? null : problemFrom(start.error);
  const wrong = (name: string) => problem?.errors.find((error) => error.pointer === `/config/${name}`)?.message ?? null;
  const noPolicy = policy.data?.revision === 0 ? "The project has no policy yet, so nothing may be executed" : null;
  const chosen = roles.data?.items.find((role) => role.id === draft.role);
  const blocked = noPolicy ?? (draft.role === "" ? "Choose a role" : chosen?.selectable === false ? "The file of this role has errors" : null);
  const send = (force: boolean) => {
    if (blocked === null && !start.isPending) start.mutate(force);
  };
  const agents = agentsOf(policy.data?.body);
  const applies = applyOf(policy.data?.body);
  return (
    <Dialog
      title={`Hand #${issue.number} to a role`} shape="sheet" onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" icon="play" busy={start.isPending && !start.variables} blocked={blocked} onClick={() => send(false)}>Dispatch</Button>
        </>
      }
    >
      <form className="flex flex-col gap-4 p-4" onSubmit={(event) => { event.preventDefault(); send(false); }}>
        <p className="font-medium break-words">{visible(issue.title)}</p>
        {roles.isPending && <p role="status" aria-label="Loading the roles"><Bar width="70%" /></p>}
        {roles.data === undefined && roles.error !== null && <Failed what="The roles could not be loaded" error={roles.error} busy={roles.isFetching} onRetry={() => void roles.refetch()} />}
        <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
          <Button icon="search" busy={advice.isPending} onClick={() => advice.mutate()}>Suggest a role</Button>
          <p role="status" className="min-w-0 text-sm break-words text-soft">
            {advice.data !== undefined && (advice.data.role == null
              ? `None fits: ${visible(advice.data.error_message ?? "")}`
              : `${visible(advice.data.role)}: ${visible(advice.data.reasoning)}${advice.data.alternatives.length > 0 ? `; else ${advice.data.alternatives.map((one) => visible(one.role)).join(", ")}` : ""}`)}
            {advice.error !== null && `No advice: ${problemFrom(advice.error).detail}`}
          </p>
        </div>
        {roles.data !== undefined && <Roles roles={roles.data.items} chosen={draft.role} error={wrong("role")} onChoose={(role) => change({ role })} />}
        <Field label="Agent" help={chosen?.agent == null ? "Left open: the first that the policy names" : `Left open: what the role wants, ${visible(chosen.agent)}`} error={wrong("agent")}>
          {(ids) => (
            <Select {...ids} value={draft.agent} onChange={(event) => change({ agent: event.target.value })}>
              <option value="">As the role or the project says</option>
              {agents.map((agent) => <option key={agent} value={agent}>{agent}</option>)}
            </Select>
          )}
        </Field>
        <div className="grid grid-cols-2 gap-3">
          <Field label="Model" error={wrong("model")}>{(ids) => <Input {...ids} value={draft.model} placeholder="as the agent says" onChange={(event) => change({ model: event.target.value })} />}</Field>
          <Field label="Worker" error={wrong("worker")}>
            {(ids) => (
              <Select {...ids} value={draft.worker} onChange={(event) => change({ worker: event.target.value })}>
                <option value="">Any that has the agent</option>
                {(workers.data?.items ?? []).filter((worker) => worker.state !== "revoked").map((worker) => (
                  <option key={worker.id} value={worker.name}>{visible(worker.name)}, {worker.state}</option>
                ))}
              </Select>
            )}
          </Field>
        </div>
        <fieldset className="flex flex-col gap-1">
          <legend className="mb-1 font-medium">Where the files go</legend>
          {(Object.keys(APPLY) as Apply[]).map((apply) => (
            <label key={apply} className="flex items-baseline gap-2">
              <input type="radio" name="apply" checked={draft.apply === apply} onChange={() => change({ apply, ...(apply === "worktree" ? {} : { prove: false }) })} />
              <span>{APPLY[apply]}{applies !== null && !applies.includes(apply) && <span className="text-sm text-warning"> (the policy does not allow it)</span>}</span>
            </label>
          ))}
          {wrong("apply") !== null && <p className="text-sm text-bad">{wrong("apply")}</p>}
        </fieldset>
        <Field label="Start from" help="A branch, tag or commit; left open: the default branch" error={wrong("base")}>{(ids) => <Input {...ids} value={draft.base} onChange={(event) => change({ base: event.target.value })} />}</Field>
        <label className="flex items-baseline gap-2">
          <input type="checkbox" checked={draft.prove} disabled={draft.apply !== "worktree"} onChange={(event) => change({ prove: event.target.checked })} />
          <span>Prove the commit that comes of it{draft.apply !== "worktree" && <span className="text-sm text-soft"> (needs a branch)</span>}</span>
        </label>
        <Field label="Instructions" help="What the agent is told beside its role and the issue" error={wrong("instructions")}>
          {(ids) => <TextArea {...ids} rows={4} maxLength={4096} value={draft.instructions} onChange={(event) => change({ instructions: event.target.value })} />}
        </Field>
        {noPolicy !== null && <p role="note" className="text-warning">{noPolicy}. <Link to="/p/$key/settings" params={{ key: project }} search={{ tab: "policy" }} className="underline underline-offset-2">Write one</Link></p>}
        {problem !== null && <Refused problem={problem} project={project} busy={start.isPending} onForce={() => send(true)} />}
      </form>
    </Dialog>
  );
}

/** The roles as radio buttons, so that each says when to choose it; those with errors say what is wrong. */
function Roles({ roles, chosen, error, onChoose }: { roles: readonly AgentRole[]; chosen: string; error: string | null; onChoose: (role: string) => void }) {
  const id = useId();
  return (
    <fieldset className="flex flex-col gap-1.5" aria-describedby={error === null ? undefined : `${id}-error`}>
      <legend className="mb-1 font-medium">Role</legend>
      {roles.map((role) => (
        <label key={role.id} className="flex items-baseline gap-2">
          <input type="radio" name="role" value={role.id} checked={chosen === role.id} disabled={!role.selectable} onChange={() => onChoose(role.id)} />
          <span className="min-w-0">
            <span className="font-mono">{visible(role.id)}</span>
            {role.origin !== "builtin" && <span className="ml-1.5 rounded-sm bg-well px-1 text-sm text-soft">the project&apos;s own{role.origin === "override" && ", in place of a built-in one"}</span>}
            {role.use_case != null && <span className="block text-sm break-words text-soft">{visible(role.use_case)}</span>}
            {role.errors.map((wrong) => (
              <span key={`${wrong.pointer} ${wrong.message}`} className="block text-sm break-words text-bad">
                {role.path != null && <code>{visible(role.path)}</code>} {visible(wrong.pointer)} {visible(wrong.message)}
              </span>
            ))}
          </span>
        </label>
      ))}
      {error !== null && <p id={`${id}-error`} className="text-sm text-bad">{error}</p>}
    </fieldset>
  );
}

/** Why it was not started, and what one can do about it. */
function Refused({ problem, project, busy, onForce }: { problem: Problem; project: string; busy: boolean; onForce: () => void }) {
  const active = typeof problem.facts.active_run === "string" ? problem.facts.active_run : null;
  const blockers = Array.isArray(problem.facts.blocked_by) ? (problem.facts.blocked_by as Record<string, unknown>[]) : [];
  return (
    <div role="alert" className="flex flex-col items-start gap-2 rounded-md border border-bad/40 bg-bad-tint px-3 py-2 break-words">
      <p><span className="font-medium text-bad">Not started:</span> {visible(problem.detail)}. {problem.hint} (<Code code={problem.code} />)</p>
      {active !== null && (
        <Link to="/p/$key/runs/$run" params={{ key: project, run: active }} className="underline underline-offset-2">Run {shortId(active)} goes on</Link>
      )}
      {blockers.length > 0 && (
        <>
          <ul className="flex flex-col">
            {blockers.map((one) => (
              <li key={String(one.id)}>
                <Link to="/p/$key/issues/$number" params={{ key: project, number: String(one.number) }} className="underline underline-offset-2">#{String(one.number)} {visible(String(one.title))}</Link>
              </li>
            ))}
          </ul>
          <Button look="danger" busy={busy} onClick={onForce}>Start although it waits for these</Button>
        </>
      )}
    </div>
  );
}
