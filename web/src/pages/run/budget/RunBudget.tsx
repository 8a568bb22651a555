import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { runLedgerQuery, type Ledger } from "@/api/queries/ledger";
import type { Run } from "@/api/queries/runs";
import { BudgetBar } from "@/budget/BudgetBar";
import { standingOf, type Standing } from "@/budget/standing";

/** Whether money is of interest for a run: gates cost nothing unless they say so, an agent does. */
export function mayCost(run: Run): boolean {
  return run.kind !== "proof" || run.cost != null;
}

/** How a run's own pool stands. */
export function standingOfRun(ledger: Ledger): Standing | null {
  const pool = ledger.pools.find((one) => one.pool === "run");
  return pool === undefined ? null : standingOf(pool, ledger.totals);
}

/** What a run spent and set aside, against its cap; its journal's entries keep it current. */
export function RunBudget({ run, project }: { run: Run; project: string }) {
  const costs = mayCost(run);
  const ledger = useQuery({ ...runLedgerQuery(run.id), enabled: costs });
  const standing = ledger.data === undefined ? null : standingOfRun(ledger.data);
  // What cannot be loaded says so where its lines are looked at.
  if (!costs || standing === null) return null;
  return (
    <div className="flex min-w-0 flex-wrap items-center gap-x-1.5">
      <dt className="text-sm text-faint">Budget</dt>
      <dd className="flex min-w-0 flex-wrap items-center gap-x-2">
        <BudgetBar standing={standing} of="the run" />
        <Link to="/p/$key/runs/$run" params={{ key: project, run: run.id }} search={{ view: "ledger" }} replace className="text-sm underline underline-offset-2 hover:text-ink max-sm:hidden">
          Lines
        </Link>
      </dd>
    </div>
  );
}
