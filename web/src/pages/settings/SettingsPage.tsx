import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { meQuery } from "@/api/queries/access";
import { cx } from "@/ui/classes";
import { AgentsTab } from "./agents/AgentsTab";
import { AppearanceTab } from "./AppearanceTab";
import { BudgetsTab } from "./BudgetsTab";
import { GatesTab } from "./GatesTab";
import { NotificationsTab } from "./NotificationsTab";
import { PolicyTab } from "./PolicyTab";
import { ProjectTab } from "./ProjectTab";
import { ProofTab } from "./ProofTab";
import { TABS, type Tab } from "./search";
import { TokensTab } from "./TokensTab";

const LABELS: Record<Tab, string> = { project: "Project", gates: "Gates", proof: "Proof", policy: "Policy", budgets: "Budgets", agents: "Agents", tokens: "Tokens", notifications: "Notifications", appearance: "Appearance" };

/** What a person decides for a project, and for themselves. */
export function SettingsPage() {
  const { key } = useParams({ from: "/shell/p/$key/settings" });
  const { tab = "project" } = useSearch({ from: "/shell/p/$key/settings" });
  const { data: me } = useQuery(meQuery);
  const notAdmin = me === undefined || me.role === "admin" ? null : "Only an admin changes this";
  return (
    <>
      <title>{`${LABELS[tab]} · Settings · ${key} · Proofhouse`}</title>
      <div className="flex min-h-0 flex-1 flex-col sm:flex-row">
        <nav aria-label="Settings" className="flex shrink-0 gap-1 overflow-x-auto border-line p-2 max-sm:border-b sm:w-44 sm:flex-col sm:border-r sm:p-3">
          {TABS.map((name) => (
            <Link
              key={name} from="/p/$key/settings" to="." search={name === "project" ? {} : { tab: name }} replace
              aria-current={tab === name ? "page" : undefined}
              className={cx("flex h-8 shrink-0 items-center rounded-md px-2.5 max-sm:h-9", tab === name ? "bg-well font-medium" : "text-soft hover:bg-well hover:text-ink")}
            >
              {LABELS[name]}
            </Link>
          ))}
        </nav>
        <div className="min-h-0 min-w-0 flex-1 overflow-y-auto" tabIndex={0} role="region" aria-label={LABELS[tab]}>
          <div className="flex max-w-3xl flex-col gap-5 px-5 py-5 max-sm:px-4">
            <h1 className="text-xl font-semibold">{LABELS[tab]}</h1>
            {tab === "project" && <ProjectTab project={key} notAdmin={notAdmin} />}
            {tab === "gates" && <GatesTab project={key} notAdmin={notAdmin} />}
            {tab === "proof" && <ProofTab project={key} notAdmin={notAdmin} />}
            {tab === "policy" && <PolicyTab project={key} notAdmin={notAdmin} />}
            {tab === "budgets" && <BudgetsTab project={key} notAdmin={notAdmin} />}
            {tab === "agents" && <AgentsTab notAdmin={notAdmin} />}
            {tab === "tokens" && <TokensTab project={key} />}
            {tab === "notifications" && <NotificationsTab />}
            {tab === "appearance" && <AppearanceTab />}
          </div>
        </div>
      </div>
    </>
  );
}
