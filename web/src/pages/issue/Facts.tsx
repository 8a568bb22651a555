import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Card, Issue, IssueChange, Priority } from "@/api/queries/issues";
import { visible } from "@/format/text";
import { COLUMNS } from "@/pages/board/moves";
import { KINDS } from "@/pages/board/search";
import { lookOfAttention, lookOfGates, lookOfIssue, wordOf } from "@/pages/board/words";
import { Field, Input, Select } from "@/ui/Field";
import { Status, StatusMark } from "@/ui/Status";
import { Ago } from "@/ui/Time";

const PRIORITIES: readonly Priority[] = ["low", "medium", "high", "urgent"];

interface FactsProps {
  issue: Issue;
  project: string;
  busy: boolean;
  onChange: (body: IssueChange) => void;
}

/** What an issue is, where it stands, and what it hangs together with. */
export function Facts({ issue, project, busy, onChange }: FactsProps) {
  const attention = lookOfAttention(issue.attention);
  const gates = lookOfGates(issue.gates);
  const by = "name" in issue.created_by ? issue.created_by.name : issue.created_by.type;
  return (
    <>
      <div className="flex flex-wrap gap-x-4 gap-y-1" aria-busy={busy || undefined}>
        <Status look={lookOfIssue(issue.status)} />
        {issue.blocked && <Status look={{ hue: "warning", icon: "stop", word: "Blocked" }} />}
        {attention !== null && <Status look={attention} />}
        {gates !== null && <Status look={gates} />}
      </div>
      <div className="grid grid-cols-2 gap-3">
        <Field label="Status">
          {(ids) => (
            <Select {...ids} value={issue.status} onChange={(event) => { const status = COLUMNS.find((one) => one === event.target.value); if (status !== undefined) onChange({ status }); }}>
              {COLUMNS.map((status) => <option key={status} value={status}>{wordOf(status)}</option>)}
            </Select>
          )}
        </Field>
        <Field label="Priority">
          {(ids) => (
            <Select {...ids} value={issue.priority} onChange={(event) => { const priority = PRIORITIES.find((one) => one === event.target.value); if (priority !== undefined) onChange({ priority }); }}>
              {PRIORITIES.map((one) => <option key={one} value={one}>{one}</option>)}
            </Select>
          )}
        </Field>
        <Field label="Kind">
          {(ids) => (
            <Select {...ids} value={issue.kind} onChange={(event) => { const kind = KINDS.find((one) => one === event.target.value); if (kind !== undefined) onChange({ kind }); }}>
              {KINDS.map((one) => <option key={one} value={one}>{one}</option>)}
            </Select>
          )}
        </Field>
        <Line key={`a ${issue.assignee ?? ""}`} label="Assignee" value={issue.assignee ?? ""} onSave={(assignee) => onChange({ assignee: assignee === "" ? null : assignee })} />
      </div>
      <Line key={`l ${issue.labels.join()}`} label="Labels, separated by commas" value={issue.labels.join(", ")} onSave={(labels) => onChange({ labels: labels.split(",") })} />
      <Line key={`e ${issue.execution}`} label="Done by (manual or role:ID)" value={issue.execution} onSave={(execution) => onChange({ execution })} />
      {issue.part_of != null && <Cards title="Part of" cards={[issue.part_of]} project={project} />}
      <Cards title="Parts" cards={issue.parts} project={project} />
      <Cards title="Waits for" cards={issue.waits_for} project={project} />
      <Cards title="Holds up" cards={issue.holds_up} project={project} />
      <p className="text-sm text-soft">Filed by {visible(by)} <Ago at={issue.created_at} />, changed <Ago at={issue.updated_at} /></p>
    </>
  );
}

/** A short text that is saved when it is left, or with Enter. */
function Line({ label, value, onSave }: { label: string; value: string; onSave: (value: string) => void }) {
  const [words, setWords] = useState(value);
  const save = () => {
    if (words.trim() !== value) onSave(words.trim());
  };
  return (
    <Field label={label}>
      {(ids) => (
        <Input {...ids} value={words} onChange={(event) => setWords(event.target.value)} onBlur={save} onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()} />
      )}
    </Field>
  );
}

function Cards({ title, cards, project }: { title: string; cards: readonly Card[]; project: string }) {
  if (cards.length === 0) return null;
  return (
    <section aria-label={title}>
      <h2 className="mb-1 font-medium">{title}</h2>
      <ul className="flex flex-col gap-1">
        {cards.map((card) => (
          <li key={card.id} className="flex items-baseline gap-2">
            <span className="translate-y-0.5"><StatusMark look={lookOfIssue(card.status)} /></span>
            <Link to="/p/$key/issues/$number" params={{ key: project, number: String(card.number) }} className="min-w-0 break-words hover:underline">
              <span className="num text-faint">#{card.number}</span> {visible(card.title)}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
