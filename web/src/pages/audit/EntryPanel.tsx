import { visible } from "@/format/text";
import { absolute } from "@/format/time";
import type { Entry } from "@/live/protocol";
import { Button } from "@/ui/Button";
import { Copy } from "@/ui/Copy";
import { aboutOf, didOf, whoOf, whyOf } from "./words";

/** An entry as it was written, first in words. */
export function EntryPanel({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  const json = JSON.stringify(entry, null, 2);
  const why = whyOf(entry);
  return (
    <aside aria-label={`Entry ${entry.seq}`} className="flex min-h-0 flex-col border-line max-lg:h-1/2 max-lg:border-t lg:w-[min(38rem,42%)] lg:border-l">
      <header className="flex items-center gap-2 border-b border-line px-4 py-1.5">
        <h2 className="min-w-0 truncate font-semibold"><span className="num text-faint">#{entry.seq}</span> {visible(entry.kind)}</h2>
        <span className="ml-auto flex items-center">
          <Copy text={json} label="Copy the entry as JSON" />
          <Button look="quiet" icon="cross" aria-label="Close" onClick={onClose} />
        </span>
      </header>
      <div className="border-b border-line px-4 py-2 break-words">
        <p><bdi className="font-medium">{whoOf(entry.data)}</bdi> {didOf(entry.kind)} <bdi className="font-mono text-sm">{aboutOf(entry)}</bdi></p>
        {why !== "" && <p className="mt-1 text-soft"><bdi>{why}</bdi></p>}
        <p className="mt-1 text-sm text-faint">{absolute(Date.parse(entry.at))}</p>
      </div>
      <pre tabIndex={0} role="region" aria-label="The entry as JSON" dir="ltr" className="min-h-0 flex-1 overflow-auto px-4 py-2 text-sm break-words whitespace-pre-wrap">
        {visible(json.length > 200_000 ? `${json.slice(0, 200_000)}…` : json)}
      </pre>
    </aside>
  );
}
