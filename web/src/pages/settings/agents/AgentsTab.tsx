import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Shape } from "@/api/client";
import { workersQuery } from "@/api/queries/workers";
import { visible } from "@/format/text";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { Ago } from "@/ui/Time";
import { Read } from "../parts";
import { agentsOf, canOf, type Known } from "./group";
import { Providers } from "./Providers";

/** Which agents there are, on which worker and in what state, and the providers of models (S100). */
export function AgentsTab({ notAdmin }: { notAdmin: string | null }) {
  const workers = useQuery(workersQuery);
  return (
    <>
      <p className="text-soft">
        Agents are declared on the machine of their <Link to="/workers" className="underline underline-offset-2">worker</Link> and looked at there every few minutes. Which of them may be used here is set by the policy.
      </p>
      <Read query={workers} what="The agents" lines={3}>
        {({ items }) => {
          const known = agentsOf(items);
          if (known.length === 0) return <p className="text-soft">No worker tells of an agent. Install one beside a worker; <code>proofhouse agent check</code> says there what is found.</p>;
          return <ul aria-label="Agents" className="flex flex-col">{known.map((agent) => <AgentRow key={agent.id} agent={agent} />)}</ul>;
        }}
      </Read>
      <Providers notAdmin={notAdmin} />
    </>
  );
}

function AgentRow({ agent }: { agent: Known }) {
  return (
    <li className="flex flex-col gap-1.5 border-t border-line py-2.5">
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
        <h2 className="font-semibold break-all">{visible(agent.id)}</h2>
        {agent.tested.length > 0 && <span className="text-sm text-soft">tested with {agent.tested.map(visible).join(" or ")}</span>}
      </div>
      {agent.capabilities.length > 0 && (
        <ul aria-label={`What ${visible(agent.id)} can do`} className="flex flex-wrap gap-1.5">
          {agent.capabilities.map((capability) => <li key={capability} className="rounded-md bg-well px-1.5 text-sm">{canOf(capability)}</li>)}
        </ul>
      )}
      <ul aria-label={`Workers with ${visible(agent.id)}`} className="flex flex-col gap-0.5 text-sm">
        {agent.on.map(({ worker, agent: there }) => (
          <li key={worker.id} className="flex flex-wrap items-center gap-x-2.5 gap-y-0.5">
            <Icon name={there.healthy === true ? "check" : "cross"} size={14} className={there.healthy === true ? "text-good" : "text-bad"} />
            <span className="sr-only">{there.healthy === true ? "healthy" : "not healthy"}</span>
            <span className={cx("break-all", worker.state !== "online" && "text-soft")}>{visible(worker.name)}{worker.state !== "online" && ` (${worker.state})`}</span>
            {there.version != null && <span className="text-soft">{visible(there.version)}</span>}
            <LoginState login={there.login} />
            {there.detail != null && <span className="min-w-0 break-words text-soft">{visible(there.detail)}</span>}
            {there.checked_at != null && <span className="text-faint">looked at <Ago at={there.checked_at} /></span>}
          </li>
        ))}
      </ul>
    </li>
  );
}

function LoginState({ login }: { login: Shape<"AgentLogin"> | null | undefined }) {
  if (login == null) return null;
  switch (login.by) {
    case "variable":
      return <span className="break-all text-soft">signed in by <code>{visible(login.name)}</code></span>;
    case "file":
      return <span className="break-all text-soft">signed in by <code>{visible(login.path)}</code></span>;
    case "nothing":
      return <span className="font-medium text-warning">no login found there</span>;
  }
}
