import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { errorFor, problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { gatesQuery, type Gate } from "@/api/queries/proof";
import { documentQuery, putDocument, type Document } from "@/api/queries/settings";
import { visible } from "@/format/text";
import { Field, Input, Select } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { toggled } from "@/ui/toggled";
import { Editing } from "./Editing";
import { useEditing } from "./held";
import { Read, Refusal, SaveBar } from "./parts";

/** How proof is judged. Never read from the repository, so that a branch cannot loosen it (P60). */
export function ProofTab({ project, notAdmin }: { project: string; notAdmin: string | null }) {
  const document = useQuery(documentQuery(project, "proof"));
  const gates = useQuery(gatesQuery(project));
  return (
    <Editing query={document} what="The settings">
      {(data) => (
        <Read query={gates} what="The gates">
          {({ items }) => <Form project={project} document={data} gates={items} notAdmin={notAdmin} />}
        </Read>
      )}
    </Editing>
  );
}

type Body = Record<string, unknown>;

const CHOICES = [
  ["staleness", "Proof of other files", [["strict", "does not clear the merge gate"], ["advisory", "clears it, with a warning"]]],
  ["enforcement", "When it is not clear", [["block", "the merge gate blocks"], ["warn", "it only warns"]]],
  ["check_scope", "The merge gate asks about", [["all", "every requirement"], ["changed", "those that the changes touch"]]],
] as const;

const NUMBERS = [
  ["max_active", "Runs at once", 1, 8, "Runs of the same checkout wait for each other all the same."],
  ["slots", "Commands at once", 1, 64, "By the machine when empty."],
  ["keep_runs", "Ended runs that are kept", 1, 100_000, "What the newest proof rests on is always kept."],
  ["keep_days", "Days that they are kept", 1, 36_500, ""],
] as const;

const FLAGS = [
  ["allow_empty", "The merge gate is clear when no requirement is in scope"],
  ["four_eyes", "Waivers and reviews need somebody else than who started or captured"],
] as const;

function Form({ project, document, gates, notAdmin }: { project: string; document: Document; gates: readonly Gate[]; notAdmin: string | null }) {
  const client = useQueryClient();
  const editing = useEditing();
  const [body, setBody] = useState<Body>(document.body);
  const set = (change: Body) => setBody((before) => Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== undefined)));
  const changed = JSON.stringify(body, Object.keys(body).sort()) !== JSON.stringify(document.body, Object.keys(document.body).sort());
  const save = useMutation({
    mutationFn: () => putDocument(project, "proof", body, document.revision),
    onSuccess: () => {
      editing?.onSaved();
      return Promise.all([client.invalidateQueries({ queryKey: keys.settings(project) }), client.invalidateQueries({ queryKey: keys.proof(project) })]);
    },
  });
  const errors = save.error === null ? [] : problemFrom(save.error).errors;
  const enabled = new Set(Array.isArray(body.enabled_gates) ? body.enabled_gates.map(String) : gates.filter((gate) => gate.enabled).map((gate) => gate.name));
  return (
    <form
      className="flex flex-col gap-5"
      onSubmit={(event) => {
        event.preventDefault();
        if (changed && notAdmin === null && !save.isPending) save.mutate();
      }}
    >
      {(document.warnings ?? []).map((warning) => (
        <p key={warning} className="flex gap-2 rounded-md bg-warning-tint px-3 py-1.5"><Icon name="warning" size={14} className="mt-0.5 text-warning" />{visible(warning)}</p>
      ))}
      <fieldset className="flex flex-col gap-1.5">
        <legend className="mb-1.5 font-medium">Gates that run</legend>
        <div className="grid gap-x-4 gap-y-1 sm:grid-cols-2">
          {gates.map((gate) => (
            <label key={gate.name} className="flex min-w-0 items-baseline gap-2 max-sm:py-1">
              <input
                type="checkbox" className="size-4 translate-y-0.5 accent-accent" checked={enabled.has(gate.name)}
                onChange={() => {
                  const next = toggled(enabled, gate.name);
                  set({ enabled_gates: gates.map(({ name }) => name).filter((name) => next.has(name)) });
                }}
              />
              <span>{gate.name}</span>
              <span className="min-w-0 truncate text-sm text-faint">{visible(gate.meaning)}</span>
            </label>
          ))}
        </div>
        {enabled.size === 0 && <p role="alert" className="text-warning">Every gate is off: a run that names none proves nothing.</p>}
        {errorFor(errors, "enabled_gates") !== null && <p className="text-sm text-bad">{errorFor(errors, "enabled_gates")}</p>}
      </fieldset>
      <div className="grid gap-4 sm:grid-cols-2">
        {CHOICES.map(([name, label, options]) => (
          <Field key={name} label={label} error={errorFor(errors, name)}>
            {(ids) => (
              <Select {...ids} value={typeof body[name] === "string" ? body[name] : options[0][0]} onChange={(event) => set({ [name]: event.target.value })}>
                {options.map(([word, means]) => <option key={word} value={word}>{means}</option>)}
              </Select>
            )}
          </Field>
        ))}
        {NUMBERS.map(([name, label, min, max, help]) => (
          <Field key={name} label={label} {...(help === "" ? {} : { help })} error={errorFor(errors, name)}>
            {(ids) => (
              <Input
                {...ids} type="number" min={min} max={max} step={1} className="num w-32"
                value={typeof body[name] === "number" ? body[name] : ""}
                onChange={(event) => set({ [name]: event.target.value === "" ? undefined : event.target.valueAsNumber })}
              />
            )}
          </Field>
        ))}
      </div>
      <div className="flex flex-col gap-1.5">
        {FLAGS.map(([name, label]) => (
          <label key={name} className="flex items-baseline gap-2">
            <input type="checkbox" className="size-4 translate-y-0.5 accent-accent" checked={body[name] === true} onChange={() => set({ [name]: body[name] !== true })} />
            {label}
          </label>
        ))}
      </div>
      <Refusal error={save.error} />
      <SaveBar changed={changed} busy={save.isPending} blocked={notAdmin} onDiscard={() => { setBody(document.body); save.reset(); }} />
    </form>
  );
}
