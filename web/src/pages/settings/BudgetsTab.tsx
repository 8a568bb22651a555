import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { errorFor, otherErrors, problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { documentQuery, putDocument, type Document } from "@/api/queries/settings";
import { visible } from "@/format/text";
import { nameOf } from "@/pages/proof/words";
import { Field, Input, Select } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { Ago } from "@/ui/Time";
import { Editing } from "./Editing";
import { useEditing } from "./held";
import { Refusal, SaveBar } from "./parts";
import { bodyOf, FIELDS, inheritedWords, limitsOf, wrongIn, type Choice, type FieldName } from "./budgets";

/** What may be spent before a person is asked. */
export function BudgetsTab({ project, notAdmin }: { project: string; notAdmin: string | null }) {
  const query = useQuery(documentQuery(project, "budget"));
  return <Editing query={query} what="The budgets" lines={3}>{(data) => <Form project={project} document={data} notAdmin={notAdmin} />}</Editing>;
}

function Form({ project, document, notAdmin }: { project: string; document: Document; notAdmin: string | null }) {
  const client = useQueryClient();
  const editing = useEditing();
  const [limits, setLimits] = useState(() => limitsOf(document.body));
  const body = bodyOf(limits, document.body);
  const changed = FIELDS.some(({ name }) => body[name] !== document.body[name]);
  const wrong = FIELDS.some(({ name }) => wrongIn(limits[name]) !== null);
  const save = useMutation({
    mutationFn: () => putDocument(project, "budget", body, document.revision),
    onSuccess: () => {
      editing?.onSaved();
      return Promise.all([client.invalidateQueries({ queryKey: keys.settings(project) }), client.invalidateQueries({ queryKey: keys.ledger })]);
    },
  });
  const problem = save.error === null ? null : problemFrom(save.error);
  const errors = problem?.errors ?? [];
  const set = (name: FieldName, change: Partial<(typeof limits)[FieldName]>) => {
    setLimits((before) => ({ ...before, [name]: { ...before[name], ...change } }));
    // What was refused was the amount before.
    if (problem?.status !== 412) save.reset();
  };
  return (
    <form
      className="flex flex-col gap-5"
      onSubmit={(event) => {
        event.preventDefault();
        if (changed && !wrong && notAdmin === null && !save.isPending) save.mutate();
      }}
    >
      <p className="text-soft">
        Whatever may cost money sets an amount aside first, of its run and of the day. Where there is no room left, the run waits and a person is asked.
        {document.revision > 0 && <> Revision {document.revision}, saved <Ago at={document.at} /> by {visible(nameOf(document.by))}.</>}
      </p>
      {FIELDS.map(({ name, label, help, uncapped }) => {
        const limit = limits[name];
        const inherited = inheritedWords(document.inherits, name);
        const options: readonly (readonly [Choice, string])[] = [
          ["inherit", inherited === "" ? "What the plane says" : `What the plane says: ${inherited}`], ["amount", "An amount"], ["nothing", "Nothing"], ...(uncapped ? [["none", "No cap"] as const] : []),
        ];
        return (
          <Field key={name} label={label} help={help} error={wrongIn(limit) ?? errorFor(errors, name)}>
            {({ id, ...rest }) => (
              <span className="flex flex-wrap items-center gap-2">
                <Select id={id} {...(limit.choice === "amount" ? {} : rest)} value={limit.choice} disabled={notAdmin !== null} onChange={(event) => set(name, { choice: choiceOf(event.target.value) })} className="w-60 max-sm:w-full">
                  {options.map(([choice, means]) => <option key={choice} value={choice}>{means}</option>)}
                </Select>
                {limit.choice === "amount" && (
                  <span className="flex items-center gap-1.5">
                    <span aria-hidden="true" className="text-soft">$</span>
                    <Input
                      {...rest} aria-label={`${label}, in dollars`} inputMode="decimal" maxLength={20} autoComplete="off" value={limit.text} readOnly={notAdmin !== null}
                      onChange={(event) => set(name, { text: event.target.value })} className="num w-32!"
                    />
                  </span>
                )}
                {limit.choice === "none" && (
                  <span className="flex items-center gap-1.5 text-warning"><Icon name="warning" size={14} /> Nobody is asked, whatever it costs</span>
                )}
              </span>
            )}
          </Field>
        );
      })}
      {problem !== null && (problem.status !== 422 || otherErrors(errors, FIELDS.map(({ name }) => name)).length > 0 || errors.length === 0) && <Refusal error={save.error} />}
      <SaveBar
        changed={changed} busy={save.isPending} blocked={notAdmin ?? (wrong ? "An amount is not one yet" : null)}
        onDiscard={() => {
          setLimits(limitsOf(document.body));
          save.reset();
        }}
      />
      {notAdmin !== null && <p className="text-soft">{notAdmin}.</p>}
    </form>
  );
}

function choiceOf(value: string): Choice {
  return value === "amount" || value === "nothing" || value === "none" ? value : "inherit";
}
