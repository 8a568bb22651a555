import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { projectsQuery, type Project } from "@/api/queries/projects";
import { activeRunsQuery, endedRunsQuery, type Run } from "@/api/queries/runs";
import type { Wanted } from "@/attention/attention";
import { useAttention } from "@/attention/useAttention";
import { count, counted } from "@/format/number";
import { instant, isToday } from "@/format/time";
import { lookOfAttention } from "@/pages/board/words";
import { RunRow } from "@/pages/runs/RunRow";
import { QuestionCard } from "@/questions/QuestionCard";
import { useNow } from "@/ui/clock";
import { Commands, Empty, Failed, SkeletonRows } from "@/ui/states";
import { Status } from "@/ui/Status";
import { Spend } from "./Spend";

/** What needs a person, what today has cost, what runs, and what ended today, over all projects (W20). */
export function HomePage() {
  const projects = useQuery(projectsQuery);
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <title>Home · Proofhouse</title>
      <h1 className="sr-only">Home</h1>
      {projects.isPending && <SkeletonRows rows={8} columns={["8rem", "30%", "5rem"]} label="Loading" />}
      {projects.data === undefined && projects.error !== null && (
        <Failed what="The projects could not be loaded" error={projects.error} busy={projects.isFetching} onRetry={() => void projects.refetch()} />
      )}
      {projects.data?.length === 0 && <Welcome />}
      {projects.data !== undefined && projects.data.length > 0 && <Overview projects={projects.data} />}
    </div>
  );
}

function Welcome() {
  return (
    <Empty icon="home" title="No project yet">
      <p>A project is a git repository whose requirements are proven here. Register the first one, in its folder:</p>
      <Commands lines={["proofhouse init"]} />
      <p>It looks for the test runners that are there and asks once before anything may run.</p>
    </Empty>
  );
}

function Overview({ projects }: { projects: readonly Project[] }) {
  const now = useNow();
  const asked = useAttention();
  const active = useQuery(activeRunsQuery);
  const ended = useQuery(endedRunsQuery);
  const keyOf = new Map(projects.map((project) => [project.id, project.key]));
  const today = (ended.data?.items ?? []).filter((run) => isToday(instant(run.finished_at ?? run.created_at), now));
  const going = active.data?.items ?? [];
  const named = projects.length > 1;
  const row = (run: Run) => (
    <div key={run.id} role="row" className="relative h-[37px] max-sm:h-[72px]">
      <RunRow run={run} project={keyOf.get(run.project) ?? ""} named={named} />
    </div>
  );
  const questions = asked.list.filter((one) => "question" in one);
  const damaged = asked.list.filter((one) => one.kind === "tampered");
  const failed = asked.list.filter((one) => one.kind === "failed");
  const issues = asked.list.filter((one) => one.kind === "issues");
  const offline = asked.list.filter((one) => one.kind === "offline");
  return (
    <>
      {asked.error !== null && <Failed what="What needs you could not be loaded" error={asked.error} onRetry={asked.refetch} />}
      <Section title="Needs you" number={asked.list.length} nothing="Nothing. Questions, damaged evidence, proofs that did not pass, issues that ask for a person and workers that are away show here." loading={asked.isPending}>
        {damaged.length > 0 && (
          <ul>
            {damaged.map(({ project, requirements }) => (
              <li key={project} className="relative flex min-h-9 items-center gap-2 border-b border-line bg-bad-tint px-4 py-1.5">
                <Status look={{ hue: "bad", icon: "warning", word: "Tampered" }} />
                <Link to="/p/$key/proof" params={{ key: project }} className="min-w-0 after:absolute after:inset-0">
                  {project}: evidence of {counted(requirements, "requirement")} is not what was sealed
                </Link>
              </li>
            ))}
          </ul>
        )}
        {questions.length > 0 && (
          <div className="max-w-3xl">
            {questions.map(({ question }) => (
              <QuestionCard key={question.id} question={question} project={keyOf.get(question.project) ?? null} />
            ))}
          </div>
        )}
        {failed.length > 0 && <Table label="Projects whose last proof did not pass">{failed.map(({ run }) => row(run))}</Table>}
        {(issues.length > 0 || offline.length > 0) && (
          <ul>
            {issues.map(({ project, what, number }) => {
              const look = lookOfAttention(what);
              return (
                <li key={`${project} ${what}`} className="relative flex min-h-9 items-center gap-4 border-b border-line px-4 py-1.5 hover:bg-panel">
                  <span className="flex w-32 max-sm:w-auto">{look !== null && <Status look={look} />}</span>
                  <Link to="/p/$key/board" params={{ key: project }} search={{ attention: what }} className="min-w-0 after:absolute after:inset-0">
                    {named && `${project}: `}{counted(number, "issue")} {WORDS[what]}
                  </Link>
                </li>
              );
            })}
            {offline.map(({ number }) => (
              <li key="offline" className="relative flex min-h-9 items-center gap-4 border-b border-line px-4 py-1.5 hover:bg-panel">
                <span className="flex w-32 max-sm:w-auto"><Status look={{ hue: "bad", icon: "cross", word: "Offline" }} /></span>
                <Link to="/workers" search={{ state: "offline" }} className="min-w-0 after:absolute after:inset-0">{counted(number, "worker")} {number === 1 ? "is" : "are"} not heard of</Link>
              </li>
            ))}
          </ul>
        )}
      </Section>
      <Spend projects={projects} />
      <Section title="Runs now" number={going.length} nothing="No run is under way." loading={active.isPending}>
        <Table label="Runs that go on">{going.map(row)}</Table>
      </Section>
      <Section title="Ended today" number={today.length} nothing="No run ended today." loading={ended.isPending}>
        <Table label="Runs that ended today">{today.map(row)}</Table>
      </Section>
    </>
  );
}

const WORDS: Record<Wanted, string> = { failed: "whose work failed", review: "with work to look at", plan: "that nobody planned yet" };

interface SectionProps {
  title: string;
  number: number;
  nothing: string;
  loading: boolean;
  children: ReactNode;
}

function Section({ title, number, nothing, loading, children }: SectionProps) {
  return (
    <section aria-label={title} className="pt-3 pb-2">
      <h2 className="flex items-baseline gap-2 border-b border-line px-4 pb-1.5 font-semibold">
        {title}
        {number > 0 && <span className="num text-sm font-normal text-faint">{count(number)}</span>}
      </h2>
      {loading && number === 0 ? <SkeletonRows rows={2} columns={["6rem", "30%", "5rem"]} label={`Loading: ${title}`} /> : number === 0 ? <p className="px-4 py-2.5 text-soft">{nothing}</p> : children}
    </section>
  );
}

function Table({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div role="table" aria-label={label}>
      <div role="rowgroup">{children}</div>
    </div>
  );
}
