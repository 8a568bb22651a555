import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { revokeWaiver, waiversQuery, type Requirement, type Waiver } from "@/api/queries/proof";
import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Dialog } from "@/ui/Dialog";
import { Field, TextArea } from "@/ui/Field";
import { Bar, Code, Failed } from "@/ui/states";
import { Ago } from "@/ui/Time";
import { useProof } from "../context";
import { Part } from "../panes/Pane";
import { nameOf } from "../words";

/** Who excepted a requirement, why and until when; what has ended stays to be read. */
export function Waivers({ requirement }: { requirement: Requirement }) {
  const { project } = useProof();
  const query = useQuery(waiversQuery(project, requirement.id));
  const waivers = query.data?.items ?? [];
  if (query.data !== undefined && waivers.length === 0) return null;
  return (
    <Part title="Waivers">
      {query.isPending && <div role="status" aria-label="Loading waivers"><Bar width="60%" /></div>}
      {query.data === undefined && query.error !== null && <Failed what="The waivers could not be loaded" error={query.error} busy={query.isFetching} onRetry={() => void query.refetch()} />}
      <ol className="flex flex-col gap-2.5">
        {waivers.map((waiver) => (
          <Row key={waiver.id} waiver={waiver} />
        ))}
      </ol>
    </Part>
  );
}

const ENDED = { expired: "ran out", revoked: "was ended", replaced: "was replaced" } as const;

function Row({ waiver }: { waiver: Waiver }) {
  const { notAdmin } = useProof();
  const [ending, end] = useState(false);
  const ended = waiver.ended ?? null;
  return (
    <li className={cx("flex flex-wrap items-start gap-x-3 gap-y-1 border-l-2 pl-3", ended === null ? "border-accent" : "border-line text-soft")}>
      <div className="min-w-0 flex-1">
        <p className="break-words whitespace-pre-wrap">{visible(waiver.reason)}</p>
        <p className="text-sm text-soft">
          {waiver.gates == null ? "all gates" : waiver.gates.join(", ")}; by {visible(nameOf(waiver.approved_by))} <Ago at={waiver.granted_at} />;{" "}
          {ended === null ? (waiver.expires == null ? "without an end" : `through ${waiver.expires} (UTC)`) : <>{ENDED[ended.kind]} <Ago at={ended.at} />{ended.why !== "" && <>: {visible(ended.why)}</>}</>}
        </p>
      </div>
      {ended === null && <Button blocked={notAdmin} onClick={() => end(true)}>End the waiver</Button>}
      {ending && <EndDialog waiver={waiver} onClose={() => end(false)} />}
    </li>
  );
}

function EndDialog({ waiver, onClose }: { waiver: Waiver; onClose: () => void }) {
  const { project } = useProof();
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const revoke = useMutation({
    mutationFn: () => revokeWaiver(project, waiver.requirement, waiver.id, reason.trim()),
    onSuccess: onClose,
    onSettled: () => Promise.all([client.invalidateQueries({ queryKey: keys.requirement(waiver.requirement) }), client.invalidateQueries({ queryKey: keys.proof(project) })]),
  });
  const blocked = reason.trim() === "" ? "Say why the waiver ends" : null;
  const problem = revoke.error === null ? null : problemFrom(revoke.error);
  return (
    <Dialog
      title={`End the waiver of ${waiver.requirement}?`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button look="danger" busy={revoke.isPending} blocked={blocked} onClick={() => revoke.mutate()}>End the waiver</Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 p-4">
        <p>The requirement counts again at once, by what its gates last showed: where that is not proof, the merge gate is no longer clear.</p>
        <Field label="Reason" error={problem === null ? null : `${problem.errors[0]?.message ?? problem.detail} (${problem.code})`}>
          {(ids) => <TextArea {...ids} autoFocus value={reason} maxLength={2_000} onChange={(event) => setReason(event.target.value)} />}
        </Field>
        {problem !== null && <p role="alert" className="sr-only">{problem.detail} <Code code={problem.code} /></p>}
      </div>
    </Dialog>
  );
}
