import { Link } from "@tanstack/react-router";
import { problemFrom } from "@/api/problem";
import { shortId } from "@/format/text";
import { Button } from "@/ui/Button";
import { Icon } from "@/ui/Icon";
import { Code } from "@/ui/states";
import { useProof } from "../context";

/** What became of the wish for a run, where it is not simply the run itself. */
export function StartNotice() {
  const { start, project, notAdmin } = useProof();
  if (start.error !== null) {
    const problem = problemFrom(start.error);
    const noPolicy = problem.facts.rule === "no_policy";
    return (
      <div role="alert" className="flex shrink-0 flex-wrap items-center gap-x-3 gap-y-1.5 border-b border-bad/40 bg-bad-tint px-4 py-2">
        <Icon name="warning" className="text-bad" />
        <p className="min-w-0 break-words">
          <span className="font-medium">No run was started:</span> {problem.detail} (<Code code={problem.code} />)
          {problem.errors.map(({ pointer, message }) => (
            <span key={pointer}> <code>{pointer}</code> {message}.</span>
          ))}
          <span className="text-soft"> {problem.hint}</span>
        </p>
        <span className="flex gap-2">
          {noPolicy && notAdmin === null && <Link to="/p/$key/settings" params={{ key: project }} search={{ tab: "policy" }} className="text-accent underline underline-offset-2">Write the policy</Link>}
          <Button icon="retry" onClick={start.again}>Retry</Button>
          <Button look="quiet" onClick={start.dismiss}>Dismiss</Button>
        </span>
      </div>
    );
  }
  const started = start.started;
  if (started?.joined !== true) return null;
  return (
    <div role="status" className="flex shrink-0 flex-wrap items-center gap-x-3 gap-y-1 border-b border-running/40 bg-running-tint px-4 py-1.5">
      <Icon name="runs" className="text-running" />
      <p>
        Joined run {shortId(started.run)}, which was active already.
        {started.covers === false && " It does not do all that you asked for: run again when it has ended."}
      </p>
      <Button look="quiet" onClick={start.dismiss}>Dismiss</Button>
    </div>
  );
}
