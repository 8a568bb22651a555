import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { dayPoolQuery, type Ledger } from "@/api/queries/ledger";
import type { Project } from "@/api/queries/projects";
import { BudgetBar } from "@/budget/BudgetBar";
import { standingOf, used, type Standing } from "@/budget/standing";
import { counted } from "@/format/number";
import { useNow } from "@/ui/clock";
import { Bar, Failed } from "@/ui/states";

/** As many projects are asked what they spent: those whose keys come first. */
const MOST = 20;

/** What the projects spent on this UTC day, against their caps (W20). */
export function Spend({ projects }: { projects: readonly Project[] }) {
  const day = new Date(useNow()).toISOString().slice(0, 10);
  const asked = projects.slice(0, MOST);
  const days = useQueries({ queries: asked.map((project) => dayPoolQuery(project.key, day)) });
  const told = asked.map((project, at) => ({ project, query: days[at], standing: standingOn(days[at]?.data) }));
  // Of many, those that spend are of interest; of one, how it stands.
  const quiet = told.length === 1 ? [] : told.filter(({ query, standing }) => query?.isSuccess === true && (standing === null || used(standing) === 0));
  const shown = told.filter((one) => !quiet.includes(one));
  const left = quiet.length + (projects.length - asked.length);
  return (
    <section aria-label="Spent today" className="pt-3 pb-2">
      <h2 className="flex items-baseline gap-2 border-b border-line px-4 pb-1.5 font-semibold">
        Spent today <span className="num text-sm font-normal text-faint">{day} UTC</span>
      </h2>
      <ul>
        {shown.map(({ project, query, standing }) => (
          <li key={project.id} className="flex min-h-9 flex-wrap items-center gap-x-4 gap-y-0.5 border-b border-line px-4 py-1.5 text-soft">
            <span className="w-32 shrink-0 truncate text-ink max-sm:w-full">{project.key}</span>
            {standing !== null && <BudgetBar of={`${project.key} today`} standing={standing} className="flex-1" />}
            {standing === null && query?.isPending === true && <span role="status" aria-label={`Loading what ${project.key} spent`} className="flex-1"><Bar width="16rem" /></span>}
            {query?.error != null && standing === null && <span className="w-full"><Failed what={`What ${project.key} spent could not be loaded`} error={query.error} busy={query.isFetching} onRetry={() => void query.refetch()} /></span>}
            <Link to="/p/$key/settings" params={{ key: project.key }} search={{ tab: "budgets" }} aria-label={`Budgets of ${project.key}`} className="text-sm underline underline-offset-2 hover:text-ink">
              Budgets
            </Link>
          </li>
        ))}
      </ul>
      {left > 0 && (
        <p className="px-4 py-2.5 text-soft">
          {quiet.length > 0 && <>{shown.length === 0 ? "Nothing was spent" : "Nothing was spent either"} in {quiet.length > 3 ? counted(quiet.length, "project") : quiet.map(({ project }) => project.key).join(", ")}.</>}
          {projects.length > asked.length && ` ${counted(projects.length - asked.length, "more project")} ${projects.length - asked.length === 1 ? "is" : "are"} not shown.`}
        </p>
      )}
    </section>
  );
}

function standingOn(ledger: Ledger | undefined): Standing | null {
  const pool = ledger?.pools.find((one) => one.pool === "day");
  return ledger === undefined || pool === undefined ? null : standingOf(pool, ledger.totals);
}
