import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { issueOfRunQuery } from "@/api/queries/issues";
import { requirementQuery, type Requirement } from "@/api/queries/proof";
import { visible } from "@/format/text";
import { useKeys } from "@/shell/keys";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { Markdown } from "@/ui/Markdown";
import { Bar, Failed } from "@/ui/states";
import { StatusBadge } from "@/ui/Status";
import { Ago } from "@/ui/Time";
import { useProof } from "../context";
import { Marks } from "../list/RequirementRow";
import { PaneHead, Part } from "../panes/Pane";
import { KIND_WORDS, lookOfRequirement, nameOf, numberOf, severityLook, SOURCE_WORDS } from "../words";
import { EditSheet } from "./edit/EditSheet";
import { EvidenceList } from "./EvidenceList";
import { Obligations } from "./Obligations";
import { Stubs } from "./Stubs";
import { WaiveDialog } from "./WaiveDialog";
import { Waivers } from "./Waivers";

/** All there is to know of a requirement, and what a person does to it. */
export function RequirementPanel({ req }: { req: string }) {
  const { project } = useProof();
  const query = useQuery(requirementQuery(project, req));
  const data = query.data;
  return (
    <>
      <PaneHead title={<span className="font-mono">{visible(req)}</span>}>
        {data !== undefined && <Actions requirement={data} />}
      </PaneHead>
      {query.isPending && <Skeleton />}
      {data === undefined && query.error !== null && <Failed what="The requirement could not be loaded" error={query.error} busy={query.isFetching} onRetry={() => void query.refetch()} />}
      {data !== undefined && (
        <div className="min-h-0 flex-1 overflow-y-auto" tabIndex={0} role="region" aria-label={`Requirement ${visible(req)}`}>
          <Head requirement={data} />
          <Obligations requirement={data} />
          <EvidenceList requirement={data} />
          <Waivers requirement={data} />
          <Stubs requirement={data} />
          <Facts requirement={data} />
        </div>
      )}
    </>
  );
}

function Actions({ requirement }: { requirement: Requirement }) {
  const { start, active, readOnly, notAdmin } = useProof();
  const [waiving, waive] = useState(false);
  const [editing, edit] = useState(false);
  useKeys({ e: () => readOnly === null && edit(true) });
  return (
    <>
      <Button icon="pencil" aria-keyshortcuts="e" blocked={readOnly} onClick={() => edit(true)}>Edit</Button>
      <Button icon="play" busy={start.isStarting} blocked={readOnly ?? (active === null ? null : "A run is active, and must end first")} onClick={() => start.start({ mode: "full", requirements: [requirement.id], include_waived: requirement.waiver != null })}>
        Run
      </Button>
      <Button icon="waived" blocked={notAdmin ?? (requirement.waiver == null ? null : "A waiver is in force: end it below, or let it run out")} onClick={() => waive(true)}>
        Waive
      </Button>
      {editing && <EditSheet requirement={requirement} onClose={() => edit(false)} />}
      {waiving && <WaiveDialog requirement={requirement} onClose={() => waive(false)} />}
    </>
  );
}

function Head({ requirement }: { requirement: Requirement }) {
  const worst = severityLook(requirement.severity);
  return (
    <div className="flex flex-col gap-2 border-b border-line px-4 py-3">
      <p className="text-lg font-semibold break-words"><bdi>{visible(requirement.title)}</bdi></p>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <StatusBadge look={lookOfRequirement(requirement)} />
        <span className={cx("text-sm font-medium", worst.text)}>{worst.word}</span>
        <span className="text-sm text-soft">{KIND_WORDS[requirement.kind]}</span>
        <Marks requirement={requirement} words />
        {requirement.satisfied_at != null && <span className="text-sm text-faint">since <Ago at={requirement.satisfied_at} /></span>}
      </div>
      <Markdown text={requirement.description} level={3} className="text-soft" />
    </div>
  );
}

const PLACES = [["files", "Files"], ["routes", "Routes"], ["apis", "APIs"], ["components", "Components"], ["tags", "Tags"]] as const;

function Facts({ requirement }: { requirement: Requirement }) {
  const { scope, source, source_url: url, related, issue, created_at, created_by } = requirement;
  return (
    <Part title="About">
      <dl className="grid grid-cols-[6.5rem_minmax(0,1fr)] gap-x-3 gap-y-1">
        {PLACES.map(([name, label]) =>
          scope[name].length === 0 ? null : (
            <Fact key={name} name={label}>
              {scope[name].map((one) => (
                <code key={one} className="mr-2 text-sm break-all">{visible(one)}</code>
              ))}
            </Fact>
          ),
        )}
        <Fact name="Seen in">
          {SOURCE_WORDS[source]}
          {url != null && /^https?:\/\//.test(url) && (
            <>
              {" "}
              <a href={url} target="_blank" rel="noreferrer noopener" className="inline-flex max-w-full items-center gap-1 text-accent underline underline-offset-2">
                <span className="truncate">{visible(url)}</span>
                <Icon name="external" size={12} />
              </a>
            </>
          )}
        </Fact>
        {related.length > 0 && <Fact name="Related">{related.join(", ")}</Fact>}
        {issue != null && <Fact name="Issue"><IssueOf written={issue} /></Fact>}
        <Fact name="Captured">
          <Ago at={created_at} /> by {visible(nameOf(created_by))}
        </Fact>
      </dl>
    </Part>
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

/** The issue as whoever captured it wrote it; a link where that names one of this project. */
function IssueOf({ written }: { written: string }) {
  const { project } = useProof();
  const number = numberOf(written, project);
  const byId = useQuery({ ...issueOfRunQuery(project, written), enabled: number === null && /^[0-9a-f-]{36}$/.test(written), retry: false });
  const found = number ?? (byId.data === undefined ? null : String(byId.data.number));
  if (found === null) return visible(written);
  return <Link to="/p/$key/issues/$number" params={{ key: project, number: found }} className="num underline underline-offset-2">#{found}</Link>;
}

function Skeleton() {
  return (
    <div role="status" aria-label="Loading the requirement" className="flex flex-col gap-3 p-4">
      <Bar width="70%" className="h-5" />
      <Bar width="40%" />
      <Bar width="90%" />
      <Bar width="85%" />
      <Bar width="30%" className="mt-6" />
      <Bar width="60%" />
    </div>
  );
}
