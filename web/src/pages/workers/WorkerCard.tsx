import { Link } from "@tanstack/react-router";
import type { Shape } from "@/api/client";
import type { Worker } from "@/api/queries/workers";
import { shortId, visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { useMedia } from "@/ui/media";
import { Menu, MenuItem } from "@/ui/Menu";
import { Status } from "@/ui/Status";
import { Ago } from "@/ui/Time";
import { lookOf, phaseOf, serves } from "./words";

interface WorkerCardProps {
  worker: Worker;
  /** A project's key by its id. */
  keyOf: (project: string) => string;
  draining: boolean;
  onDrain: () => void;
  onUndrain: () => void;
  onRevoke: () => void;
}

/** A worker: how it is, what it offers, what it does. */
export function WorkerCard({ worker, keyOf, draining, onDrain, onUndrain, onRevoke }: WorkerCardProps) {
  const name = visible(worker.name);
  const isOver = worker.state === "revoked";
  const isDim = worker.state === "late" || worker.state === "offline" || isOver;
  const waiting = worker.outbox.items ?? 0;
  // What it says with its own words; the plane's labels repeat what stands here anyway.
  const labels = worker.offers.filter((label) => !/^(agent|os|worker):/.test(label));
  return (
    <li className={cx("flex flex-col gap-1.5 border-t border-line px-4 py-2.5 [contain-intrinsic-size:auto_7.5rem] [content-visibility:auto]", isDim && "text-soft")}>
      <div className="flex items-start gap-2">
        <div className="flex min-h-7 min-w-0 flex-1 flex-wrap items-center gap-x-3 gap-y-1">
          <h2 className={cx("min-w-0 font-semibold break-words", !isDim && "text-ink")}>{name}</h2>
          <Status look={lookOf(worker.state)} />
          {(worker.state === "online" || worker.state === "draining") && worker.activity.length === 0 && <span className="text-sm text-soft">{worker.elsewhere > 0 ? `Works in other projects (${worker.elsewhere}).` : "Idle."}</span>}
          <span className="text-sm text-soft">{isOver ? <>since <Ago at={worker.revoked_at ?? worker.last_seen} /></> : <>seen <Ago at={worker.last_seen} /></>}</span>
        </div>
        {worker.may_change && !isOver && <Actions worker={worker} name={name} draining={draining} onDrain={onDrain} onUndrain={onUndrain} onRevoke={onRevoke} />}
      </div>
      <p className="text-sm text-soft">
        {[worker.owner == null ? "the plane's own" : null, serves(worker, keyOf), `${worker.slots} ${worker.slots === 1 ? "slot" : "slots"}`, visible(worker.platform), worker.version === "" ? "" : `Proofhouse ${visible(worker.version)}`]
          .filter((word) => word !== null && word !== "").join(" · ")}
      </p>
      {(labels.length > 0 || (!isOver && worker.agents.length > 0)) && (
        <div className="flex flex-wrap items-center gap-x-5 gap-y-1.5">
          {!isOver && <Agents agents={worker.agents} />}
          {labels.length > 0 && (
            <ul aria-label={`Labels of ${name}`} className="flex flex-wrap gap-1.5">
              {labels.map((label) => <li key={label} className="rounded-md bg-well px-1.5 text-sm break-all">{visible(label)}</li>)}
            </ul>
          )}
        </div>
      )}
      {waiting > 0 && <p className="flex gap-2 text-sm text-warning"><Icon name="warning" size={14} className="mt-0.5" /> {waiting} {waiting === 1 ? "thing waits" : "things wait"} on its disk for the plane</p>}
      {worker.last_error != null && !isOver && <p className="flex gap-2 text-sm break-words text-warning"><Icon name="warning" size={14} className="mt-0.5 shrink-0" /> {visible(worker.last_error)}</p>}
      {!isOver && <Doing worker={worker} keyOf={keyOf} />}
    </li>
  );
}

/** What a person does to a worker; on a phone in a menu, as many cards would else be mostly buttons. */
function Actions({ worker, name, draining, onDrain, onUndrain, onRevoke }: Omit<WorkerCardProps, "keyOf"> & { name: string }) {
  const phone = useMedia("(max-width: 639px)");
  const isDraining = worker.state === "draining";
  if (phone) {
    return (
      <Menu
        align="end"
        trigger={
          <button type="button" aria-label={`What to do with ${name}`} aria-busy={draining || undefined} className="-my-1 inline-flex size-9 shrink-0 items-center justify-center rounded-md text-soft hover:bg-well">
            <Icon name={draining ? "running" : "more"} className={draining ? "spin" : ""} />
          </button>
        }
      >
        <MenuItem icon={isDraining ? "play" : "pause"} onSelect={isDraining ? onUndrain : onDrain}>{isDraining ? "Claim again" : "Drain"}</MenuItem>
        {worker.owner != null && <MenuItem icon="cross" onSelect={onRevoke}>Revoke</MenuItem>}
      </Menu>
    );
  }
  return (
    <span className="flex shrink-0 gap-2">
      {isDraining
        ? <Button busy={draining} onClick={onUndrain} aria-label={`Let ${name} claim again`}>Claim again</Button>
        : <Button busy={draining} onClick={onDrain} aria-label={`Drain ${name}`}>Drain</Button>}
      {worker.owner != null && <Button onClick={onRevoke} aria-label={`Revoke ${name}`}>Revoke</Button>}
    </span>
  );
}

function Agents({ agents }: { agents: readonly Shape<"WorkerAgent">[] }) {
  if (agents.length === 0) return null;
  return (
    <ul aria-label="Agents" className="flex flex-wrap gap-x-4 gap-y-1 text-sm">
      {agents.map((agent) => (
        <li key={agent.id} className="flex min-w-0 flex-wrap items-center gap-1.5">
          <Icon name={agent.healthy === true ? "check" : "cross"} size={14} className={agent.healthy === true ? "text-good" : "text-bad"} />
          <span className="font-medium">{visible(agent.id)}</span>
          <span className="sr-only">{agent.healthy === true ? "is healthy" : "is not healthy"}</span>
          <span className="break-words text-soft">{visible(agent.version ?? agent.detail ?? "")}</span>
        </li>
      ))}
    </ul>
  );
}

function Doing({ worker, keyOf }: { worker: Worker; keyOf: (project: string) => string }) {
  if (worker.activity.length === 0) return null;
  return (
    <ul aria-label={`What ${visible(worker.name)} does`} className="flex flex-col gap-1">
      {worker.activity.map((task) => (
        <li key={task.task} className="flex flex-wrap items-baseline gap-x-2 gap-y-0.5">
          <Icon name="running" size={14} className="spin self-center text-running" />
          <Link to="/p/$key/runs/$run" params={{ key: keyOf(task.project), run: task.run }} className="font-medium underline-offset-2 hover:underline">
            {visible(task.run_kind)} {shortId(task.run)}
          </Link>
          <span className="text-ink">{visible(phaseOf(task))}</span>
          {task.step != null && <span className="min-w-0 break-words text-soft">{visible(task.step)}</span>}
          <span className="text-sm text-soft">since <Ago at={task.since} />{task.attempt > 1 && <>, attempt {task.attempt}</>}</span>
          {task.quiet && <span className="text-sm font-medium text-warning">quiet for a while</span>}
        </li>
      ))}
    </ul>
  );
}
