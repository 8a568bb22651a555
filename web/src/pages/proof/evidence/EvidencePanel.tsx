import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { evidenceQuery, type Evidence } from "@/api/queries/proof";
import { shortId, visible } from "@/format/text";
import { absolute, instant } from "@/format/time";
import { cx } from "@/ui/classes";
import { Copy } from "@/ui/Copy";
import { Icon } from "@/ui/Icon";
import { Bar, Failed } from "@/ui/states";
import { StatusBadge } from "@/ui/Status";
import { lookOfVerdict } from "@/ui/status";
import { Ago } from "@/ui/Time";
import { useProof } from "../context";
import { PaneHead, Part } from "../panes/Pane";
import { nameOf, reasonInWords } from "../words";
import { Cases } from "./Cases";
import { Commands } from "./Commands";
import { without } from "../search";

/** What a gate showed: exactly what was run, on which files, and whether it is still what was sealed. */
export function EvidencePanel({ id }: { id: string }) {
  const { project } = useProof();
  const query = useQuery(evidenceQuery(project, id));
  const data = query.data;
  return (
    <>
      <PaneHead
        lead={
          <Link from="/p/$key/proof" to="." search={(before) => without(before, "evidence")} aria-label="Back" className="inline-flex size-7 items-center justify-center rounded-md text-soft hover:bg-well hover:text-ink max-sm:size-9">
              <Icon name="arrowLeft" />
            </Link>
        }
        title={
          <>
            Evidence
            {data !== undefined && <span className="font-normal text-soft">{data.gate}</span>}
          </>
        }
      />
      {query.isPending && (
        <div role="status" aria-label="Loading the evidence" className="flex flex-col gap-3 p-4">
          <Bar width="35%" className="h-5" />
          <Bar width="80%" />
          <Bar width="60%" />
          <Bar className="mt-4 h-40" />
        </div>
      )}
      {data === undefined && query.error !== null && <Failed what="The evidence could not be loaded" error={query.error} busy={query.isFetching} onRetry={() => void query.refetch()} />}
      {data !== undefined && (
        <div className="min-h-0 flex-1 overflow-y-auto" tabIndex={0} role="region" aria-label="Evidence">
          <Head evidence={data} />
          {data.intact && !data.expired && (
            <>
              {data.question != null && <Review evidence={data} />}
              {data.cases.length > 0 && !data.commands.every((command) => command.results?.parser === "exit") && <Cases cases={data.cases} />}
              <Commands evidence={data} />
            </>
          )}
          <Seal evidence={data} />
        </div>
      )}
    </>
  );
}

function Head({ evidence }: { evidence: Evidence }) {
  const { project } = useProof();
  const why = reasonInWords(evidence.reason);
  return (
    <div className="flex flex-col gap-2 border-b border-line px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <StatusBadge look={lookOfVerdict(evidence.verdict)} />
        {why !== "" && <span>{why}</span>}
        <span className="ml-auto text-sm text-faint"><Ago at={evidence.recorded_at} /></span>
      </div>
      <p className="break-words whitespace-pre-wrap">{visibleLines(evidence.message)}</p>
      <p className="text-sm text-soft">
        For{" "}
        <Link from="/p/$key/proof" to="/p/$key/proof/$req" params={(before) => ({ ...before, req: evidence.requirement })} search={(before) => without(before, "evidence", "view")} className="font-mono underline underline-offset-2 hover:text-ink">{evidence.requirement}</Link>
        , in run{" "}
        <Link to="/p/$key/runs/$run" params={{ key: project, run: evidence.run }} className="font-mono underline underline-offset-2 hover:text-ink">{shortId(evidence.run)}</Link>
      </p>
      {!evidence.intact && (
        <div role="alert" className="flex gap-2 rounded-md bg-bad-tint px-3 py-2">
          <Icon name="broken" className="mt-0.5 text-bad" />
          <p><span className="font-semibold text-bad">Tampered.</span> What lies in the store is not what was sealed. Its text is withheld, and it proves nothing: run the gate again.</p>
        </div>
      )}
      {evidence.expired && <Notice>Its text is past its retention. The verdict and the seal are kept.</Notice>}
      {evidence.moved && <Notice>Files changed while its run went on, so a pass of it counts nowhere.</Notice>}
      {evidence.stale && !evidence.moved && <Notice>It is of other files than the present ones. Run the gate again to have proof of these.</Notice>}
    </div>
  );
}

function Notice({ children }: { children: string }) {
  return (
    <p className="flex gap-2 rounded-md bg-warning-tint px-3 py-1.5">
      <Icon name="clock" size={14} className="mt-0.5 text-warning" />
      <span className="min-w-0">{children}</span>
    </p>
  );
}

function Review({ evidence }: { evidence: Evidence }) {
  return (
    <Part title="Review">
      <p className="break-words">
        {evidence.answered_by == null ? "A person" : visible(nameOf(evidence.answered_by))} {evidence.verdict === "passed" ? "looked and accepted it" : "looked and rejected it"}
        {evidence.comment != null && evidence.comment !== "" && <>: <span className="whitespace-pre-wrap">{visibleLines(evidence.comment)}</span></>}
      </p>
    </Part>
  );
}

function visibleLines(text: string): string {
  return text.split("\n").map(visible).join("\n");
}

/** What it is of, and what holds it together. */
function Seal({ evidence }: { evidence: Evidence }) {
  return (
    <Part title="Seal">
      <dl className="grid grid-cols-[6.5rem_minmax(0,1fr)] gap-x-3 gap-y-1">
        <Fact name="State">
          <span className={cx("inline-flex items-center gap-1", evidence.intact ? "text-good" : "text-bad")}>
            <Icon name={evidence.intact ? "seal" : "broken"} size={13} />
            {evidence.intact ? "intact: seal, journal and bytes agree" : "not what was sealed"}
          </span>
        </Fact>
        <Fact name="Tree">
          {evidence.tree == null ? "unknown" : <Digest text={evidence.tree} what="tree" />}
          {evidence.dirty === true && <span className="text-soft"> with uncommitted changes</span>}
        </Fact>
        {evidence.commit != null && <Fact name="Commit"><Digest text={evidence.commit} what="commit" /></Fact>}
        <Fact name="Definition"><Digest text={evidence.definition} what="definition" /></Fact>
        {evidence.seal != null && <Fact name="Seal"><Digest text={evidence.seal} what="seal" /></Fact>}
        <Fact name="Number"><span className="num">{evidence.seq}</span></Fact>
        <Fact name="Recorded">{absolute(instant(evidence.recorded_at))}</Fact>
      </dl>
    </Part>
  );
}

function Digest({ text, what }: { text: string; what: string }) {
  return (
    <span className="inline-flex max-w-full items-center">
      <code className="truncate text-sm">{text}</code>
      <Copy text={text} label={`Copy the ${what}`} />
    </span>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt className="text-sm leading-5 text-faint">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </>
  );
}
