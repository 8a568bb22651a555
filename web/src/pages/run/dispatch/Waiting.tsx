import type { Run } from "@/api/queries/runs";
import { visible } from "@/format/text";
import { Icon } from "@/ui/Icon";

/** What a run waits for while nobody takes its work (D12). */
export function Waiting({ run }: { run: Run }) {
  const waiting = run.waiting_for ?? null;
  if (waiting === null || run.status === "completed" || run.status === "failed" || run.status === "cancelled") return null;
  return (
    <div role="status" className="flex items-start gap-2 rounded-md bg-warning-tint px-3 py-2">
      <Icon name="clock" className="mt-0.5 text-warning" />
      <div className="min-w-0">
        <p className="break-words">Waits: {visible(waiting.message)}</p>
        <p className="text-sm break-words text-soft">
          {waiting.eligible_workers.length === 0
            ? <>It asks for {waiting.labels.map((label) => visible(label)).join(", ")}. Pair a worker that has it, or cancel.</>
            : <>Could do it: {waiting.eligible_workers.map((worker) => `${visible(worker.name)} (${worker.state})`).join(", ")}</>}
        </p>
      </div>
    </div>
  );
}
