import { Link } from "@tanstack/react-router";
import { visible } from "@/format/text";
import { absolute } from "@/format/time";
import type { Entry } from "@/live/protocol";
import { Button } from "@/ui/Button";
import { Copy } from "@/ui/Copy";
import { Bar } from "@/ui/states";

interface EntryDetailProps {
  seq: number;
  entry: Entry | null;
  run: string;
  project: string;
  onClose: () => void;
}

/** An entry as it was written. */
export function EntryDetail({ seq, entry, run, project, onClose }: EntryDetailProps) {
  const json = entry === null ? "" : JSON.stringify(entry, null, 2);
  return (
    <aside aria-label={`Entry ${seq}`} className="flex min-h-0 flex-col border-line max-lg:h-1/2 max-lg:border-t lg:w-[min(38rem,42%)] lg:border-l">
      <header className="flex items-center gap-2 border-b border-line px-4 py-1.5">
        <h2 className="min-w-0 truncate font-semibold">
          <span className="num text-faint">#{seq}</span> {entry !== null && visible(entry.kind)}
        </h2>
        <span className="ml-auto flex items-center">
          <Copy text={json} label="Copy the entry as JSON" />
          <Copy icon="link" text={() => Promise.resolve(location.href)} label="Copy a link to the entry" />
          <Button look="quiet" icon="cross" aria-label="Close" onClick={onClose} />
        </span>
      </header>
      {entry === null ? (
        <div className="flex flex-col gap-2 p-4"><Bar width="60%" /><Bar width="80%" /></div>
      ) : (
        <>
          <p className="px-4 pt-2 text-sm text-soft">
            {absolute(Date.parse(entry.at))}
            {entry.span !== undefined && (
              <>
                {", "}
                <Link to="/p/$key/runs/$run" params={{ key: project, run }} search={{ span: entry.span }} className="font-mono break-all underline underline-offset-2">
                  {visible(entry.span)}
                </Link>
              </>
            )}
          </p>
          <pre tabIndex={0} role="region" aria-label="The entry as JSON" dir="ltr" className="min-h-0 flex-1 overflow-auto px-4 py-2 text-sm break-words whitespace-pre-wrap">
            {visible(json.length > 200_000 ? `${json.slice(0, 200_000)}…` : json)}
          </pre>
        </>
      )}
    </aside>
  );
}
