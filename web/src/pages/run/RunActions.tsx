import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { problemFrom } from "@/api/problem";
import type { Shape } from "@/api/client";
import { keys } from "@/api/queries/keys";
import { controlRun, retryRun, type Run, type RunAction } from "@/api/queries/runs";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Code } from "@/ui/states";
import { isTerminal } from "@/ui/status";

/** What a person does to a run. Only what is possible now is there; what is under way shows on its button. */
export function RunActions({ run, project, onRetried }: { run: Run; project: string; onRetried?: (run: string) => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [asking, ask] = useState(false);
  // One key for each wish to retry: a lost answer is asked for again, not a second run (P78).
  const [wish, setWish] = useState(() => crypto.randomUUID());
  const settle = (changed: Run) => {
    client.setQueryData(keys.run(run.id), (known: Run | undefined) => (known !== undefined && known.revision > changed.revision ? known : changed));
  };
  const control = useMutation({
    mutationFn: (action: RunAction) => controlRun(run.id, action),
    onSuccess: settle,
    onSettled: () => ask(false),
  });
  const retry = useMutation({
    mutationFn: (mode: Shape<"RetryMode">) => retryRun(run.id, mode, `${wish}-${mode}`),
    onSuccess: async (started) => {
      setWish(crypto.randomUUID());
      if (onRetried !== undefined) onRetried(started.run);
      else await navigate({ to: "/p/$key/runs/$run", params: { key: project, run: started.run } });
    },
  });
  const going = control.isPending ? control.variables : null;
  const other = (action: RunAction) => (going !== null && going !== action ? "Another action is on its way" : null);
  const error = control.error ?? retry.error;
  const done = isTerminal(run.status);

  return (
    <div className="flex flex-wrap items-center gap-2">
      {error !== null && (
        <p role="alert" className="text-bad">
          {problemFrom(error).detail} (<Code code={problemFrom(error).code} />)
        </p>
      )}
      {(run.status === "running" || run.status === "queued") && (
        <Button icon="pause" busy={going === "pause"} blocked={run.cancelling ? "It is being cancelled" : other("pause")} onClick={() => control.mutate("pause")}>
          Pause
        </Button>
      )}
      {run.status === "paused" && (
        <Button icon="play" look="primary" busy={going === "resume"} blocked={run.cancelling ? "It is being cancelled" : other("resume")} onClick={() => control.mutate("resume")}>
          Resume
        </Button>
      )}
      {!done && (
        <Button icon="stop" busy={going === "cancel"} blocked={run.cancelling ? "It is being cancelled: what runs is told to end" : other("cancel")} onClick={() => ask(true)}>
          Cancel
        </Button>
      )}
      {done && run.verdict !== "passed" && (
        <Button icon="retry" look="primary" busy={retry.isPending && retry.variables === "not_passed"} blocked={retry.isPending ? "A retry is on its way" : null} onClick={() => retry.mutate("not_passed")}>
          Retry what did not pass
        </Button>
      )}
      {done && run.verdict !== "passed" && onRetried === undefined && (
        <Button icon="plus" onClick={() => void navigate({ to: "/p/$key/proof", params: { key: project }, search: { capture: true, from: run.id } })}>
          Capture a glitch
        </Button>
      )}
      {done && (
        <Button icon="retry" busy={retry.isPending && retry.variables === "all"} blocked={retry.isPending ? "A retry is on its way" : null} onClick={() => retry.mutate("all")}>
          Run all again
        </Button>
      )}
      {asking && (
        <Dialog
          title="Cancel this run?"
          onClose={() => ask(false)}
          footer={
            <>
              <Button onClick={() => ask(false)}>Keep it going</Button>
              <Button look="danger" icon="stop" busy={going === "cancel"} onClick={() => control.mutate("cancel")}>
                Cancel the run
              </Button>
            </>
          }
        >
          <p className="p-4">
            What has ended stays, with its evidence. Commands that run are told to end, and the {run.progress.total - run.progress.done} gates that are
            not judged yet will be left unproven.
          </p>
        </Dialog>
      )}
    </div>
  );
}
