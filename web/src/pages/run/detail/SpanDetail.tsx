import type { ReactNode } from "react";
import type { Run } from "@/api/queries/runs";
import { visible } from "@/format/text";
import { absolute, clockExact } from "@/format/time";
import type { LiveRun } from "@/live/run";
import type { Span } from "@/live/spans";
import { Button } from "@/ui/Button";
import { Status } from "@/ui/Status";
import { Took } from "@/ui/Time";
import { lookOfSpan } from "../look";
import { CommandDetail } from "./CommandDetail";
import { GateDetail } from "./GateDetail";

interface SpanDetailProps {
  span: Span;
  run: Run;
  project: string;
  told: LiveRun;
  line: number | undefined;
  onLine: (line: number | undefined) => void;
  onClose: () => void;
}

/** A part of a run: what it was, how it ended, what it printed. */
export function SpanDetail({ span, run, project, told, line, onLine, onClose }: SpanDetailProps) {
  const command = span.family === "command" ? span : span.parent === null ? undefined : told.spans.get(span.parent);
  const gate = span.family === "gate" ? told.gates.get(span.id.slice(span.id.indexOf("/") + 1)) : undefined;
  return (
    <aside aria-label={`Details of ${visible(span.label)}`} className="flex min-h-0 min-w-0 flex-col border-line max-sm:flex-1 max-[1799px]:border-t sm:max-[1799px]:h-[58%] min-[1800px]:w-1/2 min-[1800px]:border-l">
      <header className="flex shrink-0 items-center gap-3 border-b border-line px-4 py-1">
        <Status look={lookOfSpan(span)} word={span.to === null ? "running" : span.end} />
        <h2 className={span.family === "command" ? "min-w-0 truncate font-mono text-sm font-semibold" : "min-w-0 truncate font-semibold"} title={visible(span.label)}>{visible(span.label)}</h2>
        <span className="ml-auto shrink-0 text-sm text-soft" title={`${absolute(span.from)} to ${span.to === null ? "now" : absolute(span.to)}`}>
          <span className="max-sm:hidden">{clockExact(span.from)}, </span>
          <Took from={span.from} to={span.to} />
        </span>
        <Button look="quiet" icon="cross" aria-label="Close" onClick={onClose} />
      </header>
      {gate !== undefined && <GateDetail gate={gate} project={project} />}
      {command?.family === "command" ? (
        <CommandDetail span={command} run={run} project={project} told={told} ofGate={span.family === "gate"} line={line} onLine={onLine} />
      ) : (
        gate === undefined && <p className="px-4 py-3 text-soft">{span.family === "run" ? "The whole of the run. Choose a command or a gate to see what it did." : "It has no output of its own; its entries are in the journal."}</p>
      )}
    </aside>
  );
}

/** A name and its value, in a list of facts. */
export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex min-w-0 items-baseline gap-1.5">
      <dt className="shrink-0 text-faint">{name}</dt>
      <dd className="num min-w-0 break-words">{children}</dd>
    </div>
  );
}
