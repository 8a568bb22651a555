import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { errorFor, otherErrors, problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { dayPoolQuery, runPoolsQuery } from "@/api/queries/ledger";
import { answerQuestion, type Question } from "@/api/queries/questions";
import { BudgetBar } from "@/budget/BudgetBar";
import { standingOf } from "@/budget/standing";
import { dollars, typed } from "@/format/money";
import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { Code } from "@/ui/states";
import { needOf, offered, read, standingAsked, topUp, type BudgetAsk } from "./budget";
import { StopDialog } from "./StopDialog";
import { useNotApprover } from "./useNotApprover";

/** A pool of money is used up: a person adds to it, or ends what waits for it (L90). */
export function BudgetForm({ question, ask }: { question: Question; ask: BudgetAsk }) {
  const client = useQueryClient();
  const ofRun = ask.pool === "run";
  // What stands in the question is of the moment when it was asked.
  const now = useQuery(ofRun ? runPoolsQuery(question.project, question.run) : dayPoolQuery(question.project, ask.day));
  const pool = now.data?.pools.find((one) => one.pool === ask.pool);
  const standing = now.data === undefined || pool === undefined ? standingAsked(ask) : standingOf(pool, now.data.totals);
  const day = now.data?.pools.find((one) => one.pool === "day");
  const dayLeft = day === undefined ? ask.dayLeft : (day.left_micro_usd ?? null);
  const need = needOf(ask, standing);

  const [amount, setAmount] = useState<string | null>(null);
  const [ofDay, setOfDay] = useState<string | null>(null);
  const [reason, setReason] = useState("");
  const [stopping, stop] = useState(false);
  const draft = { amount: amount ?? offered(ask, standing), day: ofDay };
  const said = read(draft, ask, dayLeft);
  const answer = useMutation({
    mutationFn: (body: Record<string, unknown>) => answerQuestion(question.id, body),
    onSettled: () => Promise.all([
      client.invalidateQueries({ queryKey: keys.questions }),
      client.invalidateQueries({ queryKey: keys.run(question.run) }),
      client.invalidateQueries({ queryKey: keys.ledger }),
    ]),
  });
  const notApprover = useNotApprover(question.project);
  const problem = answer.error === null ? null : problemFrom(answer.error);
  const errors = problem?.errors ?? [];
  const boxes = ofRun ? ["micro_usd", "day_micro_usd", "reason"] : ["day_micro_usd", "reason"];
  const refused = (field: string) => (answer.variables?.decision === "top_up" ? errorFor(errors, field) : null);
  const going = answer.isPending ? answer.variables.decision : null;
  const blocked =
    notApprover ??
    (ask.most === 0 ? "The project's budgets let no answer add money"
    : going === "stop" ? "An answer is on its way"
    : (said.wrong.amount ?? said.wrong.day));
  const change = (set: (text: string) => void) => (text: string) => {
    set(text);
    if (!answer.isPending) answer.reset();
  };

  return (
    <>
      <form
        className="flex flex-col gap-2.5"
        onSubmit={(event) => {
          event.preventDefault();
          if (blocked === null && !answer.isPending) answer.mutate(topUp(ask, said, reason));
        }}
      >
        <BudgetBar standing={standing} of={ofRun ? "the run" : ask.day} className="text-soft" />
        <p className="text-soft">
          {dollars(ask.wanted)} is needed to go on{ask.phase !== "" && <> in phase <span className="text-ink">{visible(ask.phase.replaceAll("_", " "))}</span></>}.
          {ofRun && (dayLeft === null ? " The day has no cap." : ` The day has ${dollars(dayLeft)} left.`)} All that was made so far is kept.
        </p>
        {notApprover !== null && <p role="note" className="flex items-start gap-1.5 text-warning"><Icon name="warning" size={14} className="mt-0.5" /> {notApprover}.</p>}
        <fieldset disabled={notApprover !== null} className="flex flex-col gap-2.5 disabled:opacity-60">
          <div className="flex flex-wrap items-start gap-x-4 gap-y-2.5">
            <Amount
              label={ofRun ? "Add to the run" : `Add to ${ask.day}`} text={draft.amount} onChange={change(setAmount)}
              error={said.wrong.amount ?? refused(ofRun ? "micro_usd" : "day_micro_usd")}
              {...(said.amount !== null && said.amount < need ? { help: `Less than the ${dollars(need)} that is missing: it may ask again soon` } : {})}
            />
            {ofRun && said.short > 0 && (
              <Amount
                label="And to the day (UTC)" text={ofDay ?? typed(said.short)} onChange={change(setOfDay)}
                error={said.wrong.day ?? refused("day_micro_usd")} help={`The day is ${dollars(said.short)} short of that, for all runs of the project`}
              />
            )}
          </div>
          <Field label="Reason" error={refused("reason")}>
            {(ids) => <Input {...ids} value={reason} maxLength={2_000} placeholder="Why it is worth it; stays in the audit log" onChange={(event) => change(setReason)(event.target.value)} />}
          </Field>
        </fieldset>
        {problem !== null && (answer.variables?.decision !== "top_up" || otherErrors(errors, boxes).length > 0 || errors.length === 0) && (
          <p role="alert" className="text-bad">
            {problem.detail} (<Code code={problem.code} />){problem.hint !== "" && <span className="text-soft"> {problem.hint}</span>}
          </p>
        )}
        <div className="flex flex-wrap items-center gap-2">
          <Button look="primary" icon="plus" type="submit" busy={going === "top_up"} blocked={blocked}>
            Top up{said.amount !== null && said.amount > 0 && said.wrong.amount === null ? ` by ${dollars(said.amount)}` : ""} and go on
          </Button>
          <Button look="danger" icon="stop" busy={going === "stop"} blocked={notApprover ?? (going === "top_up" ? "An answer is on its way" : null)} onClick={() => stop(true)}>
            {ofRun ? "Stop the run" : "Stop what waits"}
          </Button>
        </div>
      </form>
      {stopping && (
        <StopDialog
          ask={ask} run={question.run} reason={reason} onReason={setReason} busy={answer.isPending} error={answer.variables?.decision === "stop" ? answer.error : null}
          onStop={() => answer.mutate({ decision: "stop", reason: reason.trim() })} onClose={() => stop(false)}
        />
      )}
    </>
  );
}

function Amount({ label, text, onChange, error, help }: { label: string; text: string; onChange: (text: string) => void; error: string | null; help?: string }) {
  return (
    <div className="max-w-64 min-w-44 flex-1">
      <Field label={label} error={error} {...(help === undefined ? {} : { help })}>
        {(ids) => (
          <span className="flex items-center gap-1.5">
            <span aria-hidden="true" className="text-soft">$</span>
            <Input {...ids} inputMode="decimal" value={text} maxLength={20} spellCheck={false} autoComplete="off" onChange={(event) => onChange(event.target.value)} className="num" />
          </span>
        )}
      </Field>
    </div>
  );
}
