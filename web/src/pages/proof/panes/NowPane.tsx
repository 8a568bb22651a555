import { Link, useSearch } from "@tanstack/react-router";
import { cx } from "@/ui/classes";
import { Empty } from "@/ui/states";
import { useMedia } from "@/ui/media";
import { CheckPanel } from "../check/CheckPanel";
import { useProof } from "../context";
import { EvidencePanel } from "../evidence/EvidencePanel";
import { HistoryList } from "../board/HistoryList";
import { RunSurface } from "../board/RunSurface";
import type { View } from "../search";
import { without } from "../search";

const VIEWS: readonly (readonly [View, string])[] = [["gates", "Gates"], ["check", "Merge check"], ["history", "History"]];

/** Beside the table, when nothing is chosen in it: the run at hand, the merge check, the history. */
export function NowPane() {
  const search = useSearch({ from: "/shell/p/$key/proof" });
  const { active, last } = useProof();
  const wide = useMedia("(width >= 68rem)");
  if (search.evidence !== undefined) return <EvidencePanel id={search.evidence} />;
  const view = search.view ?? "gates";
  const run = active ?? last;
  return (
    <>
      <nav aria-label="Details" className="flex h-11 shrink-0 items-stretch gap-4 border-b border-line px-4">
        {VIEWS.map(([name, label]) => (
          <Link
            key={name} from="/p/$key/proof" to="." replace
            search={(before) => (name === "gates" && wide ? without(before, "view") : { ...without(before, "view"), view: name })}
            aria-current={view === name ? "page" : undefined}
            className={cx("flex items-center border-b-2 pt-0.5", view === name ? "border-accent font-semibold" : "border-transparent text-soft hover:text-ink")}
          >
            {label}
          </Link>
        ))}
        {!wide && (
          <Link from="/p/$key/proof" to="." search={(before) => without(before, "view")} className="ml-auto flex items-center text-accent underline underline-offset-2">
            Requirements
          </Link>
        )}
      </nav>
      <h2 className="sr-only">{VIEWS.find(([name]) => name === view)?.[1]}</h2>
      {view === "gates" && (run === null ? <NoRun /> : <RunSurface key={run.id} read={run} />)}
      {view === "check" && <CheckPanel />}
      {view === "history" && <HistoryList />}
    </>
  );
}

function NoRun() {
  return (
    <Empty icon="gate" title="No run yet">
      <p>A run judges each requirement by its gates, on the files as they lie. Every gate shows here as it goes, and what it showed is kept as evidence.</p>
    </Empty>
  );
}
