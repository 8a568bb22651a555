import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/ui/Button";
import { Input, Select } from "@/ui/Field";
import { KINDS, readBoardSearch, type BoardSearch } from "./search";

/** Which cards are shown; it stands in the address. */
export function Filters() {
  const search = useSearch({ from: "/shell/p/$key/board" });
  const navigate = useNavigate({ from: "/p/$key/board" });
  const go = (change: Partial<Record<keyof BoardSearch, string | undefined>>) => {
    void navigate({ search: readBoardSearch({ ...search, ...change }), replace: true });
  };
  const { view, ...filter } = search;
  return (
    <div role="search" aria-label="Issues" className="flex flex-wrap items-center gap-1.5">
      {/* Each address has inputs of its own: going back shows what was asked for then. */}
      <Words key={`q ${search.q ?? ""}`} label="Search" asked={search.q} onAsk={(q) => go({ q })} />
      <Words key={`l ${search.label ?? ""}`} label="Label" asked={search.label} onAsk={(label) => go({ label })} />
      <Words key={`a ${search.assignee ?? ""}`} label="Assignee" asked={search.assignee} onAsk={(assignee) => go({ assignee })} />
      <Select aria-label="Kind" value={search.kind ?? ""} onChange={(event) => go({ kind: event.target.value })}>
        <option value="">any kind</option>
        {KINDS.map((kind) => <option key={kind} value={kind}>{kind}</option>)}
      </Select>
      {Object.keys(filter).length > 0 && (
        <Button look="quiet" icon="cross" onClick={() => void navigate({ search: view === undefined ? {} : { view }, replace: true })}>
          Clear
        </Button>
      )}
    </div>
  );
}

/** Asked for when it is left, or with Enter. */
function Words({ label, asked, onAsk }: { label: string; asked: string | undefined; onAsk: (words: string) => void }) {
  const [words, setWords] = useState(asked ?? "");
  const ask = () => {
    if (words.trim() !== (asked ?? "")) onAsk(words);
  };
  return (
    <Input
      aria-label={label} placeholder={label} value={words} maxLength={200} className="!h-7 !w-32 max-sm:!h-9"
      onChange={(event) => setWords(event.target.value)}
      onBlur={ask}
      onKeyDown={(event) => event.key === "Enter" && ask()}
    />
  );
}
