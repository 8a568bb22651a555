import { useQuery } from "@tanstack/react-query";
import { runCommandsQuery, type Command, type Run } from "@/api/queries/runs";
import { bytes, counted } from "@/format/number";
import { commandLine, visible } from "@/format/text";
import { duration } from "@/format/time";
import type { LiveRun } from "@/live/run";
import type { Span } from "@/live/spans";
import { Copy } from "@/ui/Copy";
import { LogViewer } from "@/ui/log/LogViewer";
import { Failed } from "@/ui/states";
import { isTerminal } from "@/ui/status";
import { sandboxWords } from "./sandbox";
import { Fact } from "./SpanDetail";

interface CommandDetailProps {
  span: Span;
  run: Run;
  project: string;
  told: LiveRun;
  /** It is shown for one of its gates. */
  ofGate: boolean;
  line: number | undefined;
  onLine: (line: number | undefined) => void;
}

/** A process of a run: what was started, how it ended, what it printed. */
export function CommandDetail({ span, run, told, ofGate, line, onLine }: CommandDetailProps) {
  const [task = "", attempt = "1"] = span.id.slice("command:".length).split("/");
  const query = useQuery(runCommandsQuery(run.id));
  const command = query.data?.find((one) => one.task === task);
  const argv = command?.argv ?? null;
  const superseded = command?.attempt !== undefined && command.attempt !== Number(attempt);
  const live = span.to === null && !isTerminal(run.status);
  const output = superseded ? undefined : command?.output;
  return (
    <>
      {query.error !== null && query.data === undefined && <Failed what="The commands could not be loaded" error={query.error} busy={query.isFetching} onRetry={() => void query.refetch()} />}
      <div className="flex shrink-0 flex-col gap-1 border-b border-line px-4 py-2 text-sm">
        {argv !== null && (
          <div className="flex items-start gap-1">
            <code className="max-h-20 min-w-0 overflow-y-auto break-all">
              <span aria-hidden="true" className="text-faint select-none">$ </span>
              {visible(commandLine(argv))}
            </code>
            <span className="-my-1.5"><Copy text={commandLine(argv)} label="Copy the command" /></span>
          </div>
        )}
        {command !== undefined && <Facts command={command} span={span} ofGate={ofGate} />}
      </div>
      {live ? (
        <LogViewer key="live" source={{ text: told.output.get(span.id) ?? "" }} label="Output so far" live />
      ) : superseded ? (
        <p className="px-4 py-3 text-soft">Attempt {attempt} was cut short and started again: the output of the last attempt is kept.</p>
      ) : output != null ? (
        <LogViewer
          key="kept" source={{ url: `/api/v1/runs/${run.id}/commands/${task}/output` }} label="Output"
          name={`output-${run.id.slice(-8)}-${task.slice(-8)}.txt`} truncated={output.truncated} line={line} onLine={onLine}
        />
      ) : (
        query.data !== undefined && <p className="px-4 py-3 text-soft">{command?.started_at == null ? "No process was started, so there is no output." : "It printed nothing that was kept."}</p>
      )}
    </>
  );
}

function Facts({ command, span, ofGate }: { command: Command; span: Span; ofGate: boolean }) {
  const sandbox = sandboxWords(command.sandbox ?? null);
  return (
    <dl className="flex flex-wrap gap-x-5 gap-y-1">
      {span.to !== null && (
        <Fact name="Ended">
          {command.exit_code != null ? `exit ${command.exit_code}` : command.signal != null ? `signal ${command.signal}` : span.end}
          {command.duration_ms !== undefined && <> after {duration(command.duration_ms)}</>}
        </Fact>
      )}
      <Fact name="Limit">{duration(command.timeout_s * 1_000)}</Fact>
      <Fact name="Folder"><code>{visible(command.cwd === "" ? "." : command.cwd)}</code></Fact>
      <Fact name="Runner">{visible(command.runner)}{command.runner_version != null && `, ${visible(command.runner_version)}`}</Fact>
      {command.attempt !== undefined && command.attempt > 1 && <Fact name="Attempt">{command.attempt}</Fact>}
      {!ofGate && <Fact name="For">{counted(command.gate_count, "gate")}</Fact>}
      {sandbox !== null && <Fact name="Confined"><span className={sandbox.weak ? "text-warning" : ""}>{sandbox.words}</span></Fact>}
      {command.results != null && <Fact name="Results">{counted(command.results.case_count, "test")} read</Fact>}
      {command.output != null && <Fact name="Wrote">{bytes(command.output.bytes)}{command.output.truncated && ", of which the beginning and the end are kept"}</Fact>}
      {command.artifacts !== undefined && command.artifacts.length > 0 && <Fact name="Left">{counted(command.artifacts.length, "file")}</Fact>}
    </dl>
  );
}
