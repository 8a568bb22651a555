import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { errorFor, otherErrors, problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { changeRequirement, gatesQuery, requirementQuery, type Requirement } from "@/api/queries/proof";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, Select, TextArea } from "@/ui/Field";
import { Code } from "@/ui/states";
import { useProof } from "../../context";
import { KINDS, SEVERITIES } from "../../search";
import { KIND_WORDS, severityLook, SOURCE_WORDS } from "../../words";
import { changesOf, differing, editOf, lessIn, missingIn, rebased, type Edit } from "./edit";
import { GatesEdit } from "./GatesEdit";
import { Less } from "./Less";
import { Meanwhile, type Clash } from "./Meanwhile";

const POINTERS = ["title", "description", "severity", "source", "kind", "where", "scope", "source_url", "issue", "gates", "rules", "reason"];

/**
 * Changes a requirement in place. What was read is what it is compared with: a change of somebody else
 * meanwhile is shown, and nothing is overwritten that was not seen (P12).
 */
export function EditSheet({ requirement, onClose }: { requirement: Requirement; onClose: () => void }) {
  const { project, notAdmin } = useProof();
  const client = useQueryClient();
  const { data: gates } = useQuery(gatesQuery(project));
  // What comes in by the live stream does not move the ground under what is being written.
  const [base, setBase] = useState(requirement);
  const [edit, setEdit] = useState<Edit>(() => editOf(requirement));
  const [reason, setReason] = useState("");
  const [clash, setClash] = useState<Clash | null>(null);
  const set = (change: Partial<Edit>) => setEdit((now) => ({ ...now, ...change }));
  const before = editOf(base);
  const less = lessIn(before, edit);

  const save = useMutation({
    mutationFn: () => changeRequirement(project, base.id, base.revision, { ...changesOf(before, edit), ...(less.length === 0 ? {} : { reason: reason.trim() }) }),
    onSuccess: onClose,
    onError: async (error) => {
      if (problemFrom(error).status !== 412) return;
      const now = await client.query({ ...requirementQuery(project, base.id), staleTime: 0 });
      const theirs = editOf(now);
      const own = differing(before, edit);
      setClash({ before, theirs, mine: edit, fields: differing(before, theirs), both: differing(before, theirs).filter((field) => own.includes(field)) });
      setEdit(rebased(before, theirs, edit));
      setBase(now);
    },
    onSettled: () => Promise.all([client.invalidateQueries({ queryKey: keys.requirement(base.id) }), client.invalidateQueries({ queryKey: keys.proof(project) })]),
  });
  const problem = save.error === null ? null : problemFrom(save.error);
  const refused = problem?.status === 412 && clash !== null ? null : problem;
  const errors = refused?.errors ?? [];
  const wrong = (field: string) => errorFor(errors, field);
  const missing = missingIn(before, edit, reason) ?? (less.length > 0 ? notAdmin : null);

  return (
    <Dialog
      title={`Edit ${base.id}`} shape="sheet" onClose={onClose}
      footer={
        <>
          <Button onClick={onClose} blocked={save.isPending ? "It is being saved" : null}>Cancel</Button>
          <Button look={less.length > 0 ? "danger" : "primary"} type="submit" form="edit-requirement" busy={save.isPending} blocked={missing}>
            {less.length > 0 ? "Ask for less" : "Save"}
          </Button>
        </>
      }
    >
      <form
        id="edit-requirement"
        onSubmit={(event) => {
          event.preventDefault();
          if (missing === null && !save.isPending) save.mutate();
        }}
      >
        <fieldset disabled={save.isPending} className="flex min-w-0 flex-col gap-4 p-4">
          <legend className="sr-only">The requirement</legend>
          {clash !== null && <Meanwhile clash={clash} onTake={(field) => { set({ [field]: clash.theirs[field] }); setClash({ ...clash, both: clash.both.filter((one) => one !== field) }); }} onDone={() => setClash(null)} />}
          {refused !== null && (
            <div role="alert" className="rounded-md bg-bad-tint px-3 py-2">
              <p>{refused.detail} (<Code code={refused.code} />)</p>
              {otherErrors(errors, POINTERS).map(({ pointer, message }) => <p key={pointer} className="text-sm"><code>{pointer}</code> {message}</p>)}
            </div>
          )}
          <Field label="What must hold" error={wrong("title")}>
            {(ids) => <Input {...ids} autoFocus required maxLength={200} value={edit.title} onChange={(event) => set({ title: event.target.value })} />}
          </Field>
          <Field label="What was seen" help="Markdown" error={wrong("description")}>
            {(ids) => <TextArea {...ids} rows={7} required maxLength={20_000} value={edit.description} onChange={(event) => set({ description: event.target.value })} />}
          </Field>
          <Field label="Where" help="One place a line, after file: route: api: component: or tag:" error={wrong("where") ?? wrong("scope")}>
            {(ids) => <TextArea {...ids} rows={3} spellCheck={false} value={edit.where} onChange={(event) => set({ where: event.target.value })} className="min-h-14 font-mono text-sm" />}
          </Field>
          <div className="grid grid-cols-3 gap-3 max-sm:grid-cols-1">
            <Field label="Severity" error={wrong("severity")}>
              {(ids) => (
                <Select {...ids} value={edit.severity} onChange={(event) => set({ severity: event.target.value as Edit["severity"] })}>
                  {SEVERITIES.map((word) => <option key={word} value={word}>{severityLook(word).word}</option>)}
                </Select>
              )}
            </Field>
            <Field label="Kind" error={wrong("kind")}>
              {(ids) => (
                <Select {...ids} value={edit.kind} onChange={(event) => set({ kind: event.target.value as Edit["kind"] })}>
                  {KINDS.map((word) => <option key={word} value={word}>{KIND_WORDS[word]}</option>)}
                </Select>
              )}
            </Field>
            <Field label="Seen in" error={wrong("source")}>
              {(ids) => (
                <Select {...ids} value={edit.source} onChange={(event) => set({ source: event.target.value as Edit["source"] })}>
                  {Object.entries(SOURCE_WORDS).map(([word, label]) => <option key={word} value={word}>{label}</option>)}
                </Select>
              )}
            </Field>
          </div>
          <div className="grid grid-cols-[minmax(0,2fr)_minmax(0,1fr)] gap-3 max-sm:grid-cols-1">
            <Field label="Link" help="http or https. May be left empty." error={wrong("source_url")}>
              {(ids) => <Input {...ids} type="url" spellCheck={false} value={edit.url} onChange={(event) => set({ url: event.target.value })} />}
            </Field>
            <Field label="Issue" help="Its number on the board." error={wrong("issue")}>
              {(ids) => <Input {...ids} spellCheck={false} maxLength={64} value={edit.issue} onChange={(event) => set({ issue: event.target.value })} />}
            </Field>
          </div>
          <GatesEdit before={before} edit={edit} known={gates?.items ?? []} set={set} wrong={wrong("gates") ?? wrong("rules")} />
          {less.length > 0 && <Less less={less} reason={reason} setReason={setReason} notAdmin={notAdmin} wrong={wrong("reason")} />}
        </fieldset>
      </form>
    </Dialog>
  );
}
