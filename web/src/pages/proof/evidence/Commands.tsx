import { useQuery } from "@tanstack/react-query";
import { evidenceBytes, type Evidence, type EvidenceCommand } from "@/api/queries/proof";
import { runCommandsQuery } from "@/api/queries/runs";
import { bytes } from "@/format/number";
import { commandLine, visible } from "@/format/text";
import { duration } from "@/format/time";
import { Copy } from "@/ui/Copy";
import { cx } from "@/ui/classes";
import { LogViewer } from "@/ui/log/LogViewer";
import { useProof } from "../context";
import { Part } from "../panes/Pane";
import { Artifact } from "./Artifact";
import { sandboxInWords } from "./sandbox";

/** An output of fewer bytes gets less room. */
const FEW = 400;

/** The processes behind a piece of evidence, each with what it wrote. */
export function Commands({ evidence }: { evidence: Evidence }) {
  const { project } = useProof();
  // What each process was allowed is told with the run.
  const run = useQuery(runCommandsQuery(evidence.run));
  const sandboxOf = (digest: string) => run.data?.find((command) => command.digest === digest)?.sandbox ?? null;
  return evidence.commands.map((command, at) => {
    return (
      <Part key={`${command.digest}${at}`} title={evidence.commands.length === 1 ? "Command" : `Command ${at + 1} of ${evidence.commands.length}`}>
        <Facts command={command} sandbox={sandboxOf(command.digest)} />
        {command.output == null || command.output.bytes === 0 ? (
          <p className="mt-2 text-soft">{command.output == null ? "No output was kept." : "It printed nothing."}</p>
        ) : (
          <div className={cx("mt-3 flex overflow-hidden rounded-md border border-line", command.output.bytes < FEW ? "h-52" : "h-[min(28rem,60dvh)]")}>
            <LogViewer label={`Output of ${visible(commandLine(command.argv)).slice(0, 80)}`} name={`${evidence.requirement}-${evidence.gate}.txt`} source={{ url: evidenceBytes(project, evidence.id, command.output.blob) }} truncated={command.output.truncated} />
          </div>
        )}
        {command.artifacts.length > 0 && (
          <ul aria-label="Artifacts" className="mt-3 flex flex-col gap-3">
            {command.artifacts.map((artifact) => (
              <li key={artifact.path}>
                <Artifact artifact={artifact} href={evidenceBytes(project, evidence.id, artifact.blob)} />
              </li>
            ))}
          </ul>
        )}
      </Part>
    );
  });
}

function Facts({ command, sandbox }: { command: EvidenceCommand; sandbox: Record<string, unknown> | null }) {
  const line = commandLine(command.argv);
  const code = command.exit_code ?? null;
  return (
    <>
      <div className="flex items-start gap-1 rounded-md bg-well px-2 py-1">
        <code className="min-w-0 flex-1 self-center text-sm break-all"><bdi>{visible(line)}</bdi></code>
        <Copy text={line} label="Copy the command" />
      </div>
      <dl className="num mt-2 flex flex-wrap gap-x-4 gap-y-0.5 text-sm">
        <Fact name={code === null ? "End" : "Exit"}>
          <span className={cx("font-medium", code === 0 ? "text-good" : "text-bad")}>{code ?? (command.signal == null ? "no process ended by itself" : `signal ${command.signal}`)}</span>
        </Fact>
        <Fact name="Took">{duration(command.duration_ms)} of at most {duration(command.timeout_s * 1_000)}</Fact>
        <Fact name="In"><code>{command.cwd === "" ? "." : visible(command.cwd)}</code></Fact>
        <Fact name="Runner">{visible(command.runner)}{command.runner_version != null && ` ${visible(command.runner_version)}`}</Fact>
        {command.attempt > 1 && <Fact name="Attempt">{command.attempt}</Fact>}
        {sandbox !== null && <Fact name="Confined">{sandboxInWords(sandbox)}</Fact>}
        {command.results != null && <Fact name="Results">{command.results.parser}, {command.results.case_count} cases</Fact>}
        {command.output != null && <Fact name="Wrote">{bytes(command.output.bytes)}</Fact>}
      </dl>
    </>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="flex gap-1.5">
      <dt className="text-faint">{name}</dt>
      <dd className="min-w-0 break-words text-soft">{children}</dd>
    </div>
  );
}
