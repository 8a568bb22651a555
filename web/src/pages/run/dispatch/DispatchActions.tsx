import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { controlRun, retryRun, type Run, type RunAction } from "@/api/queries/runs";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Code } from "@/ui/states";
import { isTerminal } from "@/ui/status";

/** What a person does to a dispatch: what is possible now, and nothing else (D36, D37). */
export function DispatchActions({ run, project, stay = false }: { run: Run; project: string; stay?: boolean }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [asking, ask] = useState(false);
  // One key for each wish to retry: a lost answer is asked for again, not a second run (K1).
  const [wish, setWish] = useState(() => crypto.randomUUID());
  const control = useMutation({
    mutationFn: (action: RunAction) => controlRun(run.id, action),
    onSuccess: (changed) => client.setQueryData(keys.run(run.id), (known: Run | undefined) => (known !== undefined && known.revision > changed.revision ? known : changed)),
    onSettled: () => ask(false),
  });
  const retry = useMutation({
    mutationFn: (mode: "fresh" | "reuse_result") => retryRun(run.id, mode, `${wish}-${mode}`),
    onSuccess: async (started) => {
      setWish(crypto.randomUUID());
      await Promise.all([client.invalidateQueries({ queryKey: keys.issues(project) }), client.invalidateQueries({ queryKey: keys.runs(project) })]);
      if (!stay) await navigate({ to: "/p/$key/runs/$run", params: { key: project, run: started.run } });
    },
  });
  const going = control.isPending ? control.variables : null;
  const other = (action: RunAction) => (going !== null && going !== action ? "Another action is on its way" : null);
  const error = control.error ?? retry.error;
  const done = isTerminal(run.status);
  const again = run.status === "failed" || run.status === "cancelled" || run.verdict === "partial" || run.verdict === "unapplied";
  const stored = run.dispatch?.result != null;
  const cancelling = run.cancelling ? "It is being cancelled" : null;
  return (
    <div className="flex flex-wrap items-center gap-2">
      {error !== null && (
        <p role="alert" className="text-bad">
          {problemFrom(error).detail}. {problemFrom(error).hint} (<Code code={problemFrom(error).code} />)
        </p>
      )}
      {(run.status === "running" || run.status === "queued") && (
        <Button icon="pause" busy={going === "pause"} blocked={cancelling ?? other("pause")} onClick={() => control.mutate("pause")}>Pause</Button>
      )}
      {run.status === "paused" && (
        <Button icon="play" look="primary" busy={going === "resume"} blocked={cancelling ?? other("resume")} onClick={() => control.mutate("resume")}>Resume</Button>
      )}
      {!done && <Button icon="stop" busy={going === "cancel"} blocked={cancelling ?? other("cancel")} onClick={() => ask(true)}>Cancel</Button>}
      {again && (
        <Button icon="retry" look="primary" busy={retry.isPending && retry.variables === "fresh"} blocked={retry.isPending ? "A retry is on its way" : null} onClick={() => retry.mutate("fresh")}>Retry</Button>
      )}
      {again && (
        <Button
          icon="retry" busy={retry.isPending && retry.variables === "reuse_result"}
          blocked={stored ? (retry.isPending ? "A retry is on its way" : null) : "It has no stored result that could be applied again"}
          onClick={() => retry.mutate("reuse_result")}
        >
          Retry with stored result
        </Button>
      )}
      {again && (
        <Button icon="plus" onClick={() => void navigate({ to: "/p/$key/proof", params: { key: project }, search: { capture: true, from: run.id } })}>
          Capture a glitch
        </Button>
      )}
      {asking && (
        <Dialog
          title="Cancel this run?" onClose={() => ask(false)}
          footer={
            <>
              <Button onClick={() => ask(false)}>Keep it going</Button>
              <Button look="danger" icon="stop" busy={going === "cancel"} onClick={() => control.mutate("cancel")}>Cancel the run</Button>
            </>
          }
        >
          <p className="p-4">The agent is told to end. What it has written so far is kept with the run and is not applied to the repository.</p>
        </Dialog>
      )}
    </div>
  );
}
