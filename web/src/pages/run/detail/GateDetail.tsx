import { visible } from "@/format/text";
import type { LiveGate } from "@/live/run";
import { EvidenceLink } from "./EvidenceLink";
import { Fact } from "./SpanDetail";

/** What a gate said. */
export function GateDetail({ gate, project }: { gate: LiveGate; project: string }) {
  return (
    <div className="flex shrink-0 flex-col gap-1 border-b border-line px-4 py-2 text-sm">
      {gate.message !== "" && <p className="max-h-24 overflow-y-auto text-base break-words">{visible(gate.message)}</p>}
      <dl className="flex flex-wrap gap-x-5 gap-y-1">
        <Fact name="Requirement">{visible(gate.requirement)}</Fact>
        <Fact name="Gate">{visible(gate.gate)}</Fact>
        {gate.waived && <Fact name="Waived">it does not count</Fact>}
        <Fact name="Evidence">{gate.evidence === null ? "none yet" : <EvidenceLink id={gate.evidence} project={project} />}</Fact>
      </dl>
    </div>
  );
}
