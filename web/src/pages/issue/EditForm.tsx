import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { problemFrom } from "@/api/problem";
import { changeIssue, type Issue } from "@/api/queries/issues";
import { keys } from "@/api/queries/keys";
import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { Field, Input, TextArea } from "@/ui/Field";
import { criteriaOf, linesOf } from "./acceptance";
import { Refusal } from "./Refusal";

/** What another has made of it meanwhile. */
interface Theirs {
  revision: number;
  title: string;
  body: string;
}

/**
 * Changes the texts of an issue. When somebody else has changed it meanwhile, both are shown, and nothing is
 * overwritten that was not seen (D4).
 */
export function EditForm({ base, project, onClose }: { base: Issue; project: string; onClose: () => void }) {
  const [title, setTitle] = useState(base.title);
  const [body, setBody] = useState(base.body);
  const [acceptance, setAcceptance] = useState(() => linesOf(base.acceptance));
  const [revision, setRevision] = useState(base.revision);
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: () => changeIssue(base.id, revision, {
      ...(title === base.title ? {} : { title }),
      ...(body === base.body ? {} : { body }),
      ...(acceptance === linesOf(base.acceptance) ? {} : { acceptance: criteriaOf(acceptance, base.acceptance) }),
    }),
    onSuccess: onClose,
    onSettled: () => Promise.all([client.invalidateQueries({ queryKey: keys.issues(project) }), client.invalidateQueries({ queryKey: keys.board(project) })]),
  });
  const same = title === base.title && body === base.body && acceptance === linesOf(base.acceptance);
  const problem = save.error === null ? null : problemFrom(save.error);
  const theirs = problem?.status === 412 ? theirsOf(problem.facts.current) : null;
  return (
    <form
      aria-label="Edit the issue" className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (!same && !save.isPending) save.mutate();
      }}
    >
      <Field label="Title">{(ids) => <Input {...ids} maxLength={200} value={title} onChange={(event) => setTitle(event.target.value)} />}</Field>
      <Field label="Text" help="Markdown">{(ids) => <TextArea {...ids} rows={12} value={body} onChange={(event) => setBody(event.target.value)} />}</Field>
      <Field label="Acceptance" help="One criterion a line">{(ids) => <TextArea {...ids} rows={4} value={acceptance} onChange={(event) => setAcceptance(event.target.value)} />}</Field>
      {theirs !== null && (
        <div role="alert" className="flex flex-col gap-2 rounded-md border border-warning/40 bg-warning-tint px-3 py-2">
          <p className="font-medium text-warning">Somebody else changed it while you were writing. This is how it is now:</p>
          <p className="font-medium break-words">{visible(theirs.title)}</p>
          <pre className="max-h-60 overflow-auto font-sans whitespace-pre-wrap" tabIndex={0}>{theirs.body.split("\n").map(visible).join("\n")}</pre>
          <div className="flex flex-wrap gap-2">
            <Button onClick={() => { setRevision(theirs.revision); save.reset(); }}>Go on with mine</Button>
            <Button onClick={onClose}>Take what is there</Button>
          </div>
        </div>
      )}
      {save.error !== null && theirs === null && <Refusal what="Not saved" error={save.error} />}
      <div className="flex gap-2">
        <Button look="primary" type="submit" busy={save.isPending} blocked={same ? "Nothing was changed" : theirs !== null ? "Choose first what becomes of the other change" : null} onClick={() => undefined}>Save</Button>
        <Button onClick={onClose}>Cancel</Button>
      </div>
    </form>
  );
}

function theirsOf(current: unknown): Theirs | null {
  if (typeof current !== "object" || current === null) return null;
  const { revision, title, body } = current as Record<string, unknown>;
  return typeof revision === "number" && typeof title === "string" && typeof body === "string" ? { revision, title, body } : null;
}
