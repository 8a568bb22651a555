import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo } from "react";
import { meQuery } from "@/api/queries/access";
import { auditQuery } from "@/api/queries/audit";
import { count } from "@/format/number";
import { useFollowedAudit } from "@/live/hooks";
import type { Entry } from "@/live/protocol";
import { useKeys } from "@/shell/keys";
import { useProjectAtHand } from "@/shell/project";
import { Input, Select } from "@/ui/Field";
import { useMedia } from "@/ui/media";
import { Empty, Failed, SkeletonRows } from "@/ui/states";
import { VirtualRows } from "@/ui/VirtualRows";
import { without } from "@/pages/proof/search";
import { AuditRow, COLUMNS, GRID } from "./AuditRow";
import { Chain } from "./Chain";
import { EntryPanel } from "./EntryPanel";
import { Export } from "./Export";
import { ABOUT, type About } from "./search";
import { wordsOf } from "./words";

/** A search that finds this many looks no further until one scrolls. */
const ENOUGH = 60;

/** Who did what in a project, when and why: the newest first, for those who decide (W29). */
export function AuditPage() {
  const { key } = useParams({ from: "/shell/p/$key/audit" });
  const { data: me } = useQuery(meQuery);
  const refused = me !== undefined && me.role !== "admin";
  return (
    <>
      <title>{`Audit · ${key} · Proofhouse`}</title>
      {me === undefined ? (
        <SkeletonRows rows={12} columns={["8rem", "6rem", "30%", "40%"]} label="Loading the audit" />
      ) : refused ? (
        <>
          <h1 className="sr-only">Audit</h1>
          <Empty icon="seal" title="For admins"><p>Who did what is shown to those who decide in this project.</p></Empty>
        </>
      ) : (
        <Audit project={key} />
      )}
    </>
  );
}

function Audit({ project }: { project: string }) {
  const search = useSearch({ from: "/shell/p/$key/audit" });
  const navigate = useNavigate({ from: "/p/$key/audit" });
  const narrow = useMedia("(width < 40rem)");
  const { project: at } = useProjectAtHand();
  useFollowedAudit(at?.key === project ? at.id : null);
  const list = useInfiniteQuery(auditQuery(project));
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const entries = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  const fits = useMemo(() => filterOf(search.about, search.q), [search.about, search.q]);
  const shown = useMemo(() => entries.filter(fits), [entries, fits]);
  const asked = search.about !== undefined || search.q !== undefined;
  // What is looked for may lie far back: it goes on until there is something to show.
  const wants = asked && shown.length < ENOUGH && hasNextPage && !isFetchingNextPage;
  useEffect(() => {
    if (wants) void fetchNextPage();
  }, [wants, fetchNextPage]);
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const choose = (entry: number | undefined) => void navigate({ search: (now) => (entry === undefined || now.entry === entry ? without(now, "entry") : { ...now, entry }), replace: true });
  useKeys({ Escape: () => search.entry !== undefined && choose(undefined) });
  const chosen = search.entry === undefined ? null : (entries.find(({ seq }) => seq === search.entry) ?? null);
  return (
    <>
      <div className="flex shrink-0 flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-2">
        <h1 className="text-lg font-semibold">Audit</h1>
        <Select
          aria-label="About" value={search.about ?? ""}
          onChange={(event) => {
            const about = ABOUT.find((known) => known === event.target.value);
            void navigate({ search: (now) => ({ ...without(now, "about"), ...(about === undefined ? {} : { about }) }), replace: true });
          }}
        >
          <option value="">everything</option>
          {ABOUT.map((about) => <option key={about} value={about}>{LABELS[about]}</option>)}
        </Select>
        <Input
          type="search" aria-label="Search the audit" placeholder="Who, what or why" value={search.q ?? ""} spellCheck={false} maxLength={200} className="h-7 w-56! max-sm:w-full!"
          onChange={(event) => {
            const q = event.target.value;
            void navigate({ search: (now) => ({ ...without(now, "q"), ...(q === "" ? {} : { q }) }), replace: true });
          }}
        />
        <p role="status" className="num ml-auto text-sm text-faint">
          {list.data !== undefined && `${count(shown.length)}${hasNextPage ? "+" : ""} shown`}
        </p>
        {shown.length > 0 && <Export project={project} fits={fits} filtered={asked} />}
      </div>
      <Chain project={project} head={list.data?.pages[0]?.head} />
      {list.error !== null && list.data === undefined && <Failed what="The audit could not be loaded" error={list.error} busy={list.isFetching} onRetry={() => void list.refetch()} />}
      {list.isPending && <SkeletonRows rows={12} columns={["8rem", "6rem", "30%", "40%"]} label="Loading the audit" />}
      {list.data !== undefined && shown.length === 0 && !wants && !isFetchingNextPage && (
        <Empty icon="seal" title={asked ? "Nothing is like that" : "Nothing was decided yet"}>
          <p>{asked ? "No entry is about that, by that person or for that reason." : "Waivers, weaker requirements, accepted definitions, settings and whoever was let in are written here, with who did it and why. Nothing can be taken out again."}</p>
        </Empty>
      )}
      {shown.length > 0 && (
        <div className="flex min-h-0 flex-1 max-lg:flex-col">
          <VirtualRows
            label={`Audit of ${project}`} count={shown.length} height={narrow ? 60 : 33} columns={COLUMNS.length} more={hasNextPage}
            keyOf={(row) => shown[row]?.seq ?? row} onEnd={onEnd}
            head={
              <div role="row" aria-rowindex={1} className={`h-8 border-b border-line text-sm text-faint max-sm:sr-only ${GRID}`}>
                {COLUMNS.map((column) => <span key={column} role="columnheader">{column}</span>)}
              </div>
            }
            row={(row) => {
              const entry = shown[row];
              return entry === undefined ? null : <AuditRow entry={entry} chosen={entry.seq === search.entry} onChoose={choose} />;
            }}
            foot={isFetchingNextPage ? <SkeletonRows rows={3} columns={["8rem", "30%"]} label="Loading more" /> : list.isFetchNextPageError ? <Failed what="More could not be loaded" error={list.error} onRetry={() => void fetchNextPage()} /> : undefined}
          />
          {chosen !== null && <EntryPanel entry={chosen} onClose={() => choose(undefined)} />}
        </div>
      )}
    </>
  );
}

const LABELS: Record<About, string> = {
  requirement: "requirements", waiver: "waivers", definition: "gate definitions", settings: "settings", project: "the project", issue: "issues", worker: "workers", token: "tokens",
};

function filterOf(about: About | undefined, q: string | undefined): (entry: Entry) => boolean {
  const wanted = q?.trim().toLowerCase() ?? "";
  return (entry) => (about === undefined || entry.kind.startsWith(`${about}.`)) && (wanted === "" || wordsOf(entry).includes(wanted));
}
