import { useMemo } from "react";
import { lastLine } from "@/format/text";
import type { LiveRun } from "@/live/run";
import { Icon } from "@/ui/Icon";
import { Took } from "@/ui/Time";

/** As many commands are shown; a machine rarely runs more at once. */
const SHOWN = 6;

/** The commands that run at this moment, each with the last line that it wrote. */
export function RunningCommands({ told }: { told: LiveRun }) {
  const running = useMemo(() => [...told.spans.values()].filter((span) => span.family === "command" && span.to === null), [told.spans]);
  if (running.length === 0) return null;
  return (
    <ul aria-label="Running commands" className="shrink-0 border-b border-line bg-panel px-4 py-2">
      {running.slice(0, SHOWN).map((span) => {
        const line = lastLine(told.output.get(span.id) ?? "");
        return (
          <li key={span.id} className="grid grid-cols-[auto_minmax(0,1fr)_auto] items-baseline gap-x-2 py-0.5">
            <Icon name="running" size={13} className="spin translate-y-0.5 text-running" />
            <code className="truncate text-sm" title={span.label}>{span.label}</code>
            <Took from={span.from} to={null} className="text-sm text-soft" />
            {/* The line keeps its place before anything was written, so that nothing jumps. */}
            <samp className="col-start-2 h-4.5 truncate text-sm text-faint">{line}</samp>
          </li>
        );
      })}
      {running.length > SHOWN && <li className="text-sm text-faint">and {running.length - SHOWN} more</li>}
    </ul>
  );
}
