import { problemFrom } from "@/api/problem";
import { shortId } from "@/format/text";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, TextArea } from "@/ui/Field";
import { Code } from "@/ui/states";
import type { BudgetAsk } from "./budget";

interface StopDialogProps {
  ask: BudgetAsk;
  run: string;
  reason: string;
  onReason: (reason: string) => void;
  busy: boolean;
  error: Error | null;
  onStop: () => void;
  onClose: () => void;
}

/** Ends what waits for money: asked once, with what is lost (W6). */
export function StopDialog({ ask, run, reason, onReason, busy, error, onStop, onClose }: StopDialogProps) {
  const ofRun = ask.pool === "run";
  const problem = error === null ? null : problemFrom(error);
  return (
    <Dialog
      title={ofRun ? `Stop run ${shortId(run)}?` : "Stop all that waits for this day?"} onClose={onClose}
      footer={
        <>
          <Button blocked={busy ? "The answer is on its way" : null} onClick={onClose}>Let it wait</Button>
          <Button look="danger" icon="stop" busy={busy} blocked={reason.trim() === "" ? "Say why" : null} onClick={onStop}>{ofRun ? "Stop the run" : "Stop them"}</Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 p-4">
        <p>
          {ofRun ? "The run ends as failed" : <>Every run of the project that waits for the budget of {ask.day} ends as failed</>} (<code>budget_exhausted</code>). What was made so far is
          kept and not applied; what was spent stays spent. {ofRun ? "It can be tried again later." : "Each can be tried again later."}
        </p>
        <Field label="Why it is stopped" error={null}>
          {(ids) => <TextArea {...ids} rows={3} maxLength={2_000} value={reason} onChange={(event) => onReason(event.target.value)} />}
        </Field>
        {problem !== null && <p role="alert" className="text-bad">{problem.detail} (<Code code={problem.code} />)</p>}
      </div>
    </Dialog>
  );
}
