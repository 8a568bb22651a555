import { useNavigate } from "@tanstack/react-router";
import * as Popover from "@radix-ui/react-popover";
import { count } from "@/format/number";
import { visible } from "@/format/text";
import { LEVELS, type JournalIndex } from "@/live/journal";
import { Button } from "@/ui/Button";
import { Copy } from "@/ui/Copy";
import { Select } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { without, type RunSearch } from "../search";

interface JournalToolsProps {
  run: string;
  index: JournalIndex;
  search: RunSearch;
  total: number;
  seq: number;
}

/** What of a journal is shown, and ways to take it along. */
export function JournalTools({ run, index, search, total, seq }: JournalToolsProps) {
  const navigate = useNavigate({ from: "/p/$key/runs/$run" });
  const asked = search.kind ?? [];
  const setKinds = (kinds: readonly string[]) => void navigate({ search: (now) => ({ ...without(now, "kind"), ...(kinds.length === 0 ? {} : { kind: kinds }) }), replace: true });
  const setLevel = (level: string) => void navigate({
    search: (now) => {
      const known = LEVELS.find((one) => one === level && one !== "debug");
      return { ...without(now, "level"), ...(known === undefined ? {} : { level: known }) };
    },
    replace: true,
  });
  const query = new URLSearchParams({ ...(asked.length === 0 ? {} : { kind: asked.join(",") }), ...(search.level === undefined ? {} : { level: search.level }) });
  const file = `/api/v1/runs/${run}/journal.jsonl${query.size === 0 ? "" : `?${query.toString()}`}`;
  const filtered = asked.length > 0 || search.level !== undefined;
  return (
    <div className="flex shrink-0 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-1.5">
      <label className="flex items-center gap-1.5 text-sm text-soft">
        Level
        <Select value={search.level ?? "debug"} onChange={(event) => setLevel(event.target.value)}>
          <option value="debug">all</option>
          <option value="info">info and above</option>
          <option value="warning">warnings and errors</option>
          <option value="error">errors</option>
        </Select>
      </label>
      <Popover.Root>
        <Popover.Trigger asChild>
          <Button icon="chevronDown">{asked.length === 0 ? "All kinds" : asked.length === 1 ? visible(asked[0] ?? "") : `${asked.length} kinds`}</Button>
        </Popover.Trigger>
        <Popover.Portal>
          <Popover.Content align="start" sideOffset={4} collisionPadding={8} aria-label="Only these kinds" className="z-50 max-h-96 w-72 overflow-y-auto rounded-md border border-line bg-bg p-1.5 shadow-lg">
            <Kinds index={index} asked={asked} setKinds={setKinds} />
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
      {filtered && <Button look="quiet" icon="cross" onClick={() => void navigate({ search: (now) => without(now, "kind", "level"), replace: true })}>Clear</Button>}
      <p role="status" className="num text-sm text-faint">
        {filtered ? `${count(total)} of ${count(index.length)} entries` : `${count(total)} entries`}
        {index.before > 0 && `; those up to ${count(index.before)} are past their retention`}
      </p>
      <span className="ml-auto flex items-center gap-1">
        <span className="flex items-center font-mono text-sm text-faint max-sm:sr-only">
          @{seq}
          <Copy text={`run:${run}@${seq}`} label="Copy the cursor: a reader that begins here gets what follows" />
        </span>
        <a href={file} download className="inline-flex h-7 items-center gap-1.5 rounded-md border border-line-strong/60 px-2.5 font-medium hover:bg-well max-sm:h-9">
          <Icon name="download" size={14} />
          JSONL
        </a>
      </span>
    </div>
  );
}

/** The kinds that there are. They are counted when somebody looks at them, not while one scrolls. */
function Kinds({ index, asked, setKinds }: { index: JournalIndex; asked: readonly string[]; setKinds: (kinds: readonly string[]) => void }) {
  return [...countsOf(index)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, number]) => (
    <label key={kind} className="flex h-7 cursor-pointer items-center gap-2 rounded-sm px-1.5 hover:bg-panel max-sm:h-9">
      <input
        type="checkbox" className="size-4 accent-accent" checked={asked.includes(kind)}
        onChange={() => setKinds(asked.includes(kind) ? asked.filter((one) => one !== kind) : [...asked, kind])}
      />
      <span className="min-w-0 truncate font-mono text-sm">{visible(kind)}</span>
      <span className="num ml-auto text-sm text-faint">{count(number)}</span>
    </label>
  ));
}

function countsOf(index: JournalIndex): Map<string, number> {
  const counts = new Uint32Array(index.kinds.length);
  for (let at = 0; at < index.length; at += 1) {
    const kind = index.bytes.kind[at] ?? 0;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return new Map(index.kinds.map((kind, at) => [kind, counts[at] ?? 0]));
}
