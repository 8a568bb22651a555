import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { acceptDefinitions, gatesQuery, type Gate } from "@/api/queries/proof";
import { commandLine, visible } from "@/format/text";
import { duration } from "@/format/time";
import { Button } from "@/ui/Button";
import { Copy } from "@/ui/Copy";
import { Dialog } from "@/ui/Dialog";
import { Field, TextArea } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { Code } from "@/ui/states";
import { Read } from "./parts";

/** The gates as the checkout has them. What judges a branch is decided here, not in the branch (P60). */
export function GatesTab({ project, notAdmin }: { project: string; notAdmin: string | null }) {
  const query = useQuery(gatesQuery(project));
  const [accepting, accept] = useState<readonly Gate[]>([]);
  return (
    <Read query={query} what="The gates">
      {({ items }) => {
        const changed = items.filter((gate) => !gate.accepted);
        return (
          <>
            <p className="text-soft">Which gates run is set under Proof; what they run is found in the repository, or written in its <code>proofhouse.toml</code>.</p>
            {changed.length > 0 && (
              <div className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg border border-warning/40 bg-warning-tint px-3 py-2">
                <Icon name="warning" className="text-warning" />
                <p className="min-w-0 flex-1">
                  <span className="font-semibold">{changed.map((gate) => gate.name).join(", ")}</span> {changed.length === 1 ? "differs" : "differ"} from the default branch and {changed.length === 1 ? "is" : "are"} not
                  accepted: what {changed.length === 1 ? "it shows" : "they show"} does not count at the merge gate.
                </p>
                <Button blocked={notAdmin} onClick={() => accept(changed)}>Accept {changed.length === 1 ? "it" : "all"}</Button>
              </div>
            )}
            <ul className="flex flex-col">
              {items.map((gate) => (
                <Row key={gate.name} gate={gate} notAdmin={notAdmin} onAccept={() => accept([gate])} />
              ))}
            </ul>
            {accepting.length > 0 && <AcceptDialog project={project} gates={accepting} onClose={() => accept([])} />}
          </>
        );
      }}
    </Read>
  );
}

function Row({ gate, notAdmin, onAccept }: { gate: Gate; notAdmin: string | null; onAccept: () => void }) {
  return (
    <li className="flex flex-col gap-1 border-t border-line py-2.5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h2 className="font-semibold">{gate.name}</h2>
        <span className="min-w-0 text-soft">{visible(gate.meaning)}</span>
        <span className="ml-auto flex items-center gap-2 text-sm">
          {gate.exclusive && <span className="text-soft" title="No other command of the run beside it">alone</span>}
          {gate.how === "review" && <span className="text-soft">a person looks</span>}
          <span className={gate.enabled ? "text-good" : "text-faint"}>{gate.enabled ? "on" : "off"}</span>
        </span>
      </div>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-0.5 text-sm text-soft">
        {gate.argv.length > 0 ? (
          <code className="min-w-0 break-all text-ink">{visible(commandLine(gate.argv))}{gate.cwd !== "" && gate.cwd !== "." && <span className="text-faint"> in {visible(gate.cwd)}</span>}</code>
        ) : gate.runners.length > 0 ? (
          <span>by {gate.runners.map(visible).join(", ")}</span>
        ) : (
          gate.how === "automatic" && <span className="text-faint">nothing in the repository can run it</span>
        )}
        {gate.how === "automatic" && <span>at most {duration(gate.timeout_s * 1_000)}</span>}
        {gate.parser != null && <span>results: {gate.parser.kind}</span>}
        <span className="inline-flex items-center" title="The digest of all that can change its verdict">
          <code className="text-faint">{gate.definition.replace(/^sha256:/, "").slice(0, 12)}</code>
          <Copy text={gate.definition} label={`Copy the definition of ${gate.name}`} />
        </span>
        {!gate.accepted && <Button className="h-6 text-sm" blocked={notAdmin} onClick={onAccept}>Accept</Button>}
      </div>
      {gate.checklist.length > 0 && (
        <ul className="ml-4 list-disc text-sm text-soft">
          {gate.checklist.map((item, at) => <li key={at}>{visible(item)}</li>)}
        </ul>
      )}
    </li>
  );
}

function AcceptDialog({ project, gates, onClose }: { project: string; gates: readonly Gate[]; onClose: () => void }) {
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const accept = useMutation({
    mutationFn: () => acceptDefinitions(project, gates.map((gate) => gate.definition), reason.trim()),
    onSuccess: onClose,
    onSettled: () => client.invalidateQueries({ queryKey: keys.proof(project) }),
  });
  const problem = accept.error === null ? null : problemFrom(accept.error);
  return (
    <Dialog
      title={`Accept ${gates.map((gate) => gate.name).join(", ")}?`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" busy={accept.isPending} blocked={reason.trim() === "" ? "Say why" : null} onClick={() => accept.mutate()}>Accept</Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 p-4">
        <p>From now on, evidence made by {gates.length === 1 ? "this definition" : "these definitions"} counts at the merge gate, also on branches that are not merged.</p>
        <Field label="Reason" error={problem === null ? null : problem.detail}>
          {(ids) => <TextArea {...ids} autoFocus maxLength={2_000} value={reason} onChange={(event) => setReason(event.target.value)} />}
        </Field>
        {problem !== null && <p role="alert" className="text-sm text-soft"><Code code={problem.code} /> {problem.hint}</p>}
      </div>
    </Dialog>
  );
}
