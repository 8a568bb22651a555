import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet, useMatchRoute, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef } from "react";
import { meQuery } from "@/api/queries/access";
import { keys } from "@/api/queries/keys";
import { proofStatusQuery, requirementsQuery } from "@/api/queries/proof";
import { useLiveRunOf } from "@/live/hooks";
import { shownRun } from "@/pages/run/shown";
import { useKeys } from "@/shell/keys";
import { useMedia } from "@/ui/media";
import { isTerminal } from "@/ui/status";
import { CaptureSheet } from "./capture/CaptureSheet";
import { ProofContext, type ProofAtHand } from "./context";
import { FirstVisit } from "./first/FirstVisit";
import { StartNotice } from "./head/StartNotice";
import { ProofHead } from "./head/ProofHead";
import { RunStrip } from "./head/RunStrip";
import { RequirementTable } from "./list/RequirementTable";
import { filterOf, isFiltered, without } from "./search";
import { useStart } from "./start";

export { NowPane } from "./panes/NowPane";
export { RequirementPane } from "./panes/RequirementPane";
export { RunPane } from "./panes/RunPane";

/** The checkout is looked at this often while the page is open (P55). */
const LOOK = 5_000;

/** A project's requirements, and what proves them. */
export function ProofPage() {
  const { key } = useParams({ from: "/shell/p/$key/proof" });
  const search = useSearch({ from: "/shell/p/$key/proof" });
  const filter = filterOf(search);
  const wide = useMedia("(width >= 68rem)");
  const atIndex = useMatchRoute()({ to: "/p/$key/proof", params: { key } }) !== false;
  const paneOpen = !atIndex || search.view !== undefined || search.evidence !== undefined;
  const navigate = useNavigate({ from: "/p/$key/proof" });
  const client = useQueryClient();

  const status = useQuery({ ...proofStatusQuery(key), refetchInterval: LOOK });
  const list = useInfiniteQuery({ ...requirementsQuery(key, filter), placeholderData: keepPreviousData });
  const { data: me } = useQuery(meQuery);
  const start = useStart(key);

  const activeId = status.data?.active_run?.id ?? null;
  const told = useLiveRunOf(activeId);
  const read = status.data?.active_run ?? null;
  const shown = read === null ? null : shownRun(read, told);
  const active = shown !== null && !isTerminal(shown.status) ? shown : null;
  // As it was read: what shows it moves it on by itself, and must know what was read before its end.
  const last = active === null && read !== null ? read : (status.data?.last_run ?? null);

  // Other files than those that the list was read for: what is stale has changed.
  const tree = status.data?.tree.tree ?? null;
  const seen = useRef(tree);
  useEffect(() => {
    const before = seen.current;
    seen.current = tree;
    if (before === null || before === tree) return;
    void client.invalidateQueries({ queryKey: [...keys.proof(key), "list"] });
    void client.invalidateQueries({ queryKey: [...keys.proof(key), "check"] });
  }, [client, key, tree]);

  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  const titles = useMemo(() => new Map(rows.map((row) => [row.id, row.title])), [rows]);
  const titleOf = useCallback((id: string) => titles.get(id) ?? null, [titles]);

  const openCapture = useCallback(() => void navigate({ to: ".", search: (before) => ({ ...before, capture: true as const }) }), [navigate]);
  const closeCapture = () => void navigate({ to: ".", search: (before) => without(before, "capture", "from"), replace: true });
  const readOnly = me?.role === "viewer" ? "Your role may only read" : null;
  const proof: ProofAtHand = {
    project: key, active, told, last, start, readOnly, titleOf, openCapture,
    notAdmin: me === undefined || me.role === "admin" ? null : "Only an admin decides this",
  };
  useKeys({
    c: () => readOnly === null && openCapture(),
    Escape: () => {
      if (!paneOpen) return;
      const from = location.pathname.split("/").at(-1) ?? "";
      void navigate({ to: "/p/$key/proof", params: { key }, search: (before) => without(before, "view", "evidence") }).then(() =>
        document.querySelector<HTMLElement>(`[data-requirement="${CSS.escape(from)}"]`)?.focus(),
      );
    },
  });

  const isEmpty = status.data?.total === 0 && !isFiltered(filter);
  const showPane = wide || paneOpen;
  const showList = wide || !paneOpen;
  return (
    <ProofContext value={proof}>
      <title>{`Proof · ${key} · Proofhouse`}</title>
      <ProofHead status={status.data} compact={!wide && paneOpen} />
      <StartNotice />
      <div className="flex min-h-0 flex-1">
        {showList && (
          <section aria-label="Requirements" className="@container flex min-h-0 min-w-0 flex-1 flex-col">
            {!wide && <RunStrip />}
            {isEmpty ? <FirstVisit /> : <RequirementTable list={list} rows={rows} filter={filter} counts={list.data?.pages[0]?.by_status} total={list.data?.pages[0]?.total} />}
          </section>
        )}
        {showPane && (
          <aside aria-label="Details" className={wide ? "flex min-h-0 w-[clamp(25rem,35%,56rem)] shrink-0 flex-col border-l border-line" : "flex min-h-0 min-w-0 flex-1 flex-col"}>
            <Outlet />
          </aside>
        )}
      </div>
      {search.capture === true && <CaptureSheet key={search.from ?? ""} from={search.from} issue={search.issue} onClose={closeCapture} />}
    </ProofContext>
  );
}
