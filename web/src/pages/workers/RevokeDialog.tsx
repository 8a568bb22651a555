import { useMutation, useQueryClient } from "@tanstack/react-query";
import { keys } from "@/api/queries/keys";
import { revokeWorker, type Worker } from "@/api/queries/workers";
import { visible } from "@/format/text";
import { Refusal } from "@/pages/settings/parts";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { phaseOf, stops } from "./words";

/** Asks once, and names what it stops (W6). */
export function RevokeDialog({ worker, onClose }: { worker: Worker; onClose: () => void }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => revokeWorker(worker.id),
    onSuccess: onClose,
    onSettled: () => client.invalidateQueries({ queryKey: keys.workers }),
  });
  return (
    <Dialog
      title={`Revoke ${visible(worker.name)}?`} onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button look="danger" icon="trash" busy={revoke.isPending} onClick={() => revoke.mutate()}>Revoke it</Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 p-4">
        <p>{stops(worker)}</p>
        {worker.activity.length > 0 && (
          <ul className="list-disc pl-5">
            {worker.activity.map((task) => (
              <li key={task.task} className="break-words">{visible(task.run_kind)} run, {visible(phaseOf(task))}</li>
            ))}
          </ul>
        )}
        <p className="text-soft">Its token is refused from now on, and its process ends. It cannot be taken back; the machine can be paired again.</p>
        <Refusal error={revoke.error} />
      </div>
    </Dialog>
  );
}
