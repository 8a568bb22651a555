import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { meQuery } from "@/api/queries/access";
import { problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { grantWaiver, type Requirement } from "@/api/queries/proof";
import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { useNow } from "@/ui/clock";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, TextArea } from "@/ui/Field";
import { Code } from "@/ui/states";
import { toggled } from "@/ui/toggled";
import { useProof } from "../context";
import { nameOf } from "../words";

/** Excepts a requirement: first what and why, then who stands for it, until when, and what it does. */
export function WaiveDialog({ requirement, onClose }: { requirement: Requirement; onClose: () => void }) {
  const { project } = useProof();
  const client = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const today = new Date(useNow()).toISOString().slice(0, 10);
  const [confirming, confirm] = useState(false);
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const [all, setAll] = useState(true);
  const [gates, setGates] = useState<ReadonlySet<string>>(new Set());
  const [wish, setWish] = useState(() => crypto.randomUUID());
  const grant = useMutation({
    mutationFn: () =>
      grantWaiver(project, requirement.id, {
        reason: reason.trim(),
        ...(until === "" ? {} : { expires: until }),
        ...(all ? {} : { gates: [...gates] }),
      }, wish),
    onSuccess: onClose,
    // Back to the form, with all that was written, and a wish of its own for what is sent next.
    onError: () => {
      confirm(false);
      setWish(crypto.randomUUID());
    },
    onSettled: () => Promise.all([client.invalidateQueries({ queryKey: keys.requirement(requirement.id) }), client.invalidateQueries({ queryKey: keys.proof(project) })]),
  });
  const problem = grant.error === null ? null : problemFrom(grant.error);
  const wrong = (pointer: string) => problem?.errors.find((error) => error.pointer === pointer)?.message ?? null;
  const names = requirement.obligations.map((obligation) => obligation.gate);
  const missing =
    reason.trim() === "" ? "Say why"
    : !all && gates.size === 0 ? "Choose at least one gate"
    : until !== "" && until < today ? "The day lies in the past"
    : null;
  const chosen = all ? "all of its gates" : [...gates].join(", ");

  if (confirming) {
    return (
      <Dialog
        title={`Waive ${requirement.id}?`}
        onClose={onClose}
        footer={
          <>
            <Button blocked={grant.isPending ? "It is being saved" : null} onClick={() => confirm(false)}>Back</Button>
            <Button look="danger" icon="waived" autoFocus busy={grant.isPending} onClick={() => grant.mutate()}>Waive it</Button>
          </>
        }
      >
        <div className="flex flex-col gap-3 p-4">
          <p className="font-semibold break-words"><bdi>{visible(requirement.title)}</bdi></p>
          <dl className="grid grid-cols-[6rem_minmax(0,1fr)] gap-x-3 gap-y-1">
            <dt className="text-faint">Waived</dt><dd>{chosen}</dd>
            <dt className="text-faint">By</dt><dd>{me === undefined ? "you" : visible(nameOf(me.actor))}</dd>
            <dt className="text-faint">Until</dt><dd>{until === "" ? "somebody ends it" : `the end of ${until} (UTC)`}</dd>
            <dt className="text-faint">Reason</dt><dd className="break-words whitespace-pre-wrap">{visible(reason.trim())}</dd>
          </dl>
          <p className="text-soft">
            Until then {all ? "the merge gate lets it through without proof, and runs leave it out" : "these gates need no proof; the others must still pass"}.
            Your name and reason stay with it for good.
          </p>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog
      title={`Waive ${requirement.id}`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="waive" blocked={missing}>Next</Button>
        </>
      }
    >
      <form
        id="waive" className="flex flex-col gap-4 p-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (missing === null) confirm(true);
        }}
      >
        {problem !== null && (
          <p role="alert" className="text-bad">
            {problem.detail} (<Code code={problem.code} />)
          </p>
        )}
        <Field label="Reason" help="Whoever reads this later must understand why it was right." error={wrong("/reason")}>
          {(ids) => <TextArea {...ids} autoFocus value={reason} maxLength={2_000} onChange={(event) => setReason(event.target.value)} />}
        </Field>
        <Field label="Last day (UTC)" help="It holds through that whole day. Without one it holds until somebody ends it." error={wrong("/expires")}>
          {(ids) => <Input {...ids} type="date" min={today} value={until} onChange={(event) => setUntil(event.target.value)} className="w-44" />}
        </Field>
        <fieldset className="flex flex-col gap-1.5">
          <legend className="mb-1 font-medium">Gates</legend>
          <label className="flex items-center gap-1.5">
            <input type="radio" name="gates" className="size-4 accent-accent" checked={all} onChange={() => setAll(true)} /> All of them
          </label>
          {names.length > 1 && (
            <label className="flex items-center gap-1.5">
              <input type="radio" name="gates" className="size-4 accent-accent" checked={!all} onChange={() => setAll(false)} /> Only some
            </label>
          )}
          {!all && (
            <div className="ml-6 flex flex-wrap gap-x-4 gap-y-1">
              {names.map((name) => (
                <label key={name} className="flex items-center gap-1.5">
                  <input type="checkbox" className="size-4 accent-accent" checked={gates.has(name)} onChange={() => setGates((before) => toggled(before, name))} /> {name}
                </label>
              ))}
            </div>
          )}
        </fieldset>
      </form>
    </Dialog>
  );
}
