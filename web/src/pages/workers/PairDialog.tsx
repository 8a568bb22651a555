import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { keys } from "@/api/queries/keys";
import { inviteWorker, workersQuery, type Pairing } from "@/api/queries/workers";
import { visible } from "@/format/text";
import { instant } from "@/format/time";
import { Refusal } from "@/pages/settings/parts";
import { Button } from "@/ui/Button";
import { useNow } from "@/ui/clock";
import { Copy } from "@/ui/Copy";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, Select } from "@/ui/Field";
import { Status } from "@/ui/Status";
import { left, lookOf } from "./words";

/** A code for another machine; it becomes the worker when it was used. */
export function PairDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [shared, share] = useState(false);
  const invite = useMutation({
    mutationFn: () => inviteWorker({ name: name.trim() === "" ? null : name.trim(), labels: [], sharing: shared ? "project" : "personal", projects: null }),
    // Who was paired before the streams told of it is in the list already.
    onSuccess: () => client.invalidateQueries({ queryKey: keys.workers }),
  });
  if (invite.data !== undefined) return <Invited pairing={invite.data} busy={invite.isPending} onAgain={() => invite.mutate()} onClose={onClose} />;
  return (
    <Dialog
      title="Pair a worker" onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="pair-worker" busy={invite.isPending}>Make a code</Button>
        </>
      }
    >
      <form
        id="pair-worker" className="flex flex-col gap-4 p-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (!invite.isPending) invite.mutate();
        }}
      >
        <p className="text-soft">A worker does tasks on another machine, with the agents and logins that are there. It only calls out: nothing has to reach it.</p>
        <Field label="Name" help="Without one it is called as its machine is.">
          {(ids) => <Input {...ids} autoFocus maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Field label="Takes" help={shared ? "Prompts of others will run on that machine." : "Other people's prompts do not run on your machine."}>
          {(ids) => (
            <Select {...ids} value={shared ? "project" : "personal"} onChange={(event) => share(event.target.value === "project")}>
              <option value="personal">only tasks of runs that I start</option>
              <option value="project">everybody&apos;s tasks</option>
            </Select>
          )}
        </Field>
        <Refusal error={invite.error} />
      </form>
    </Dialog>
  );
}

function Invited({ pairing, busy, onAgain, onClose }: { pairing: Pairing; busy: boolean; onAgain: () => void; onClose: () => void }) {
  const now = useNow();
  const { data } = useQuery(workersQuery);
  const worker = data?.items.find((one) => one.pairing === pairing.id);
  if (worker !== undefined) {
    return (
      <Dialog title="Paired" onClose={onClose} footer={<Button look="primary" onClick={onClose}>Done</Button>}>
        <div role="status" className="flex flex-col gap-2 p-4">
          <p className="flex flex-wrap items-center gap-3">
            <span className="text-lg font-semibold break-words">{visible(worker.name)}</span>
            <Status look={lookOf(worker.state)} />
          </p>
          <p className="text-soft">{visible(worker.platform)}, Proofhouse {visible(worker.version)}. Start it there with <code>proofhouse worker run</code>; it shows here what it does.</p>
        </div>
      </Dialog>
    );
  }
  const { code } = pairing;
  // One whose code was lost on the way is worth as much as one that has ended.
  const time = code == null ? null : left(instant(pairing.expires_at), now);
  const command = `proofhouse worker pair ${globalThis.location.origin} ${code ?? ""}`;
  return (
    <Dialog
      title="Pair a worker" onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          {time === null && <Button look="primary" busy={busy} onClick={onAgain}>New code</Button>}
        </>
      }
    >
      <div className="flex flex-col gap-3 p-4">
        {time === null ? (
          <p role="alert" className="font-medium text-warning">The code has ended. A new one can be made.</p>
        ) : (
          <>
            <p>Run this on the other machine:</p>
            <div className="flex items-center gap-1 rounded-md bg-well px-2 py-1.5">
              <code aria-label="Command" className="min-w-0 flex-1 text-sm break-all">{command}</code>
              <Copy text={command} label="Copy the command" />
            </div>
            <p className="flex flex-wrap items-baseline gap-x-3">
              <code aria-label="Code" className="text-xl font-semibold tracking-wider">{code}</code>
              <span className="num text-soft">good once, for {time} more</span>
            </p>
            <p className="text-sm text-soft">The address must be one that the other machine reaches. The code is not shown again.</p>
            <p role="status" className="text-soft">Waiting for the worker.</p>
          </>
        )}
      </div>
    </Dialog>
  );
}
