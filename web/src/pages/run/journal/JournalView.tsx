import { useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { count } from "@/format/number";
import { matching } from "@/live/journal";
import { runStream } from "@/live/protocol";
import type { LiveRun } from "@/live/run";
import { live } from "@/live/store";
import { cx } from "@/ui/classes";
import { Empty, Failed, SkeletonRows } from "@/ui/states";
import { VirtualRows, type RowsHandle } from "@/ui/VirtualRows";
import { without, type RunSearch } from "../search";
import { Entries } from "./entries";
import { EntryDetail } from "./EntryDetail";
import { COLUMNS, JournalRow } from "./JournalRow";
import { JournalTools } from "./JournalTools";

interface JournalViewProps {
  run: string;
  project: string;
  told: LiveRun | null;
  search: RunSearch;
  following: boolean;
  onFollow: (follow: boolean) => void;
}

const ROW = 26;
const NONE: readonly string[] = [];

/** All that a run has written down: filtered, of any length, as it grows. */
export function JournalView({ run, project, told, search, following, onFollow }: JournalViewProps) {
  const navigate = useNavigate({ from: "/p/$key/runs/$run" });
  const entries = useMemo(() => new Entries(run), [run]);
  useSyncExternalStore(entries.listen, () => entries.version);
  useEffect(() => live.onNews((news) => {
    const own = news.filter((entry) => entry.stream === runStream(run));
    if (own.length > 0) entries.add(own);
  }), [entries, run]);

  const index = told?.index;
  const kinds = search.kind ?? NONE;
  const least = search.level ?? "debug";
  const numbers = useMemo(() => (index === undefined ? null : matching(index, new Set(kinds), least)), [index, kinds, least]);
  const total = numbers?.length ?? index?.length ?? 0;
  const before = index?.before ?? 0;
  const seqAt = (at: number) => (numbers === null ? before + at + 1 : (numbers[at] ?? 0));

  const [view, setView] = useState({ first: 0, last: 0 });
  useEffect(() => {
    const wanted: number[] = [];
    for (let at = view.first; at < Math.min(view.last, total); at += 1) wanted.push(numbers === null ? before + at + 1 : (numbers[at] ?? 0));
    if (search.entry !== undefined && !wanted.includes(search.entry)) wanted.push(search.entry);
    // A wheel that turns passes over many rows: only where it stays, they are asked for.
    const timer = setTimeout(() => entries.want(wanted, { kinds: search.entry === undefined ? kinds : NONE, least: search.entry === undefined ? least : "debug" }), 40);
    return () => clearTimeout(timer);
  }, [entries, view, total, numbers, before, kinds, least, search.entry]);

  // An entry that was linked to comes into view once it is known where it is.
  const rows = useRef<RowsHandle>(null);
  const shown = useRef<number | null>(null);
  const place = search.entry === undefined ? -1 : numbers === null ? search.entry - before - 1 : numbers.indexOf(search.entry);
  const known = place >= 0 && place < total;
  useEffect(() => {
    if (!known || shown.current === place) return;
    shown.current = place;
    rows.current?.show(Math.min(total - 1, place + 6));
    rows.current?.show(place);
  }, [known, place, total]);

  const choose = (seq: number | undefined) => {
    shown.current = place;
    void navigate({ search: (now) => ({ ...without(now, "entry"), ...(seq === undefined || seq === search.entry ? {} : { entry: seq }) }), replace: true });
  };
  // One function for all rows and times: a row is made again only when it changes.
  const chooses = useRef(choose);
  useEffect(() => {
    chooses.current = choose;
  });
  const onChoose = useCallback((seq: number) => chooses.current(seq), []);
  if (told === null || told.seq === 0) return <SkeletonRows rows={10} columns={["3rem", "6rem", "8rem", "40%"]} label="Loading the journal" />;
  return (
    <>
      <JournalTools run={run} index={told.index} search={search} total={total} seq={told.seq} />
      {entries.error !== null && <Failed what="These entries could not be read" error={entries.error} onRetry={() => entries.retry()} />}
      <div className="flex min-h-0 flex-1 max-lg:flex-col">
        {total === 0 ? (
          <div className="flex-1">
            <Empty icon="runs" title="No entry is like that"><p>The journal has {count(told.index.length)} entries, and none fits the filter.</p></Empty>
          </div>
        ) : (
          <VirtualRows
            ref={rows}
            label="Journal"
            count={total}
            height={ROW}
            columns={5}
            keyOf={seqAt}
            onView={(first, last) => setView((now) => (now.first === first && now.last === last ? now : { first, last }))}
            following={following}
            onFollow={onFollow}
            head={
              <div role="row" aria-rowindex={1} className={cx("h-7 border-b border-line text-sm text-faint max-sm:sr-only", COLUMNS)}>
                <span role="columnheader" className="text-right">#</span>
                {["Time", "Level", "Kind", "Data"].map((name) => <span key={name} role="columnheader">{name}</span>)}
              </div>
            }
            row={(at) => <JournalRow seq={seqAt(at)} entry={entries.get(seqAt(at))} chosen={seqAt(at) === search.entry} onChoose={onChoose} />}
          />
        )}
        {search.entry !== undefined && <EntryDetail seq={search.entry} entry={entries.get(search.entry)} run={run} project={project} onClose={() => choose(undefined)} />}
      </div>
    </>
  );
}
