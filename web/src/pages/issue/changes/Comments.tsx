import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useRef, useState } from "react";
import { commentChange, takeBackComment, type ChangeComment } from "@/api/queries/dispatch";
import { keys } from "@/api/queries/keys";
import { shortId, visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { TextArea } from "@/ui/Field";
import { Markdown } from "@/ui/Markdown";
import { Ago } from "@/ui/Time";
import { Refusal } from "../Refusal";
import type { Place } from "./DiffTable";

/** What was said on a line. One that was not sent yet can be taken back. */
export function Said({ comment, project, outdated = false }: { comment: ChangeComment; project: string; outdated?: boolean }) {
  const client = useQueryClient();
  const back = useMutation({
    mutationFn: () => takeBackComment(comment.run, comment.id),
    onSettled: () => client.invalidateQueries({ queryKey: keys.issues(project) }),
  });
  const by = "name" in comment.actor ? comment.actor.name : comment.actor.type;
  return (
    <article aria-label={`Comment on line ${comment.line} of ${visible(comment.path)}`} className="flex flex-col gap-1">
      <p className="flex flex-wrap items-center gap-x-2 text-sm text-soft">
        <span className="font-medium text-ink">{visible(by)}</span> <Ago at={comment.at} />
        {outdated && <span className="rounded-sm bg-warning-tint px-1.5 text-warning">outdated</span>}
        {comment.sent == null ? <span className="rounded-sm bg-well px-1.5">{comment.queued == null ? "not sent yet" : "queued for the next agent"}</span> : <span className="rounded-sm bg-well px-1.5">sent to run {shortId(comment.sent)}</span>}
        {comment.sent == null && comment.queued == null && !outdated && <Button look="quiet" icon="trash" busy={back.isPending} onClick={() => back.mutate()}>Take back</Button>}
      </p>
      {outdated && (
        <blockquote className="border-l-2 border-line pl-2 font-mono text-sm break-all whitespace-pre-wrap text-soft">
          <span className="text-faint">{visible(comment.path)}, line {comment.line}</span>
          {comment.quoted !== "" && <><br />{visible(comment.quoted)}</>}
        </blockquote>
      )}
      <Markdown text={comment.body} level={3} />
      {back.error !== null && <Refusal what="Not taken back" error={back.error} />}
    </article>
  );
}

interface CommentFormProps {
  run: string;
  project: string;
  path: string;
  place: Place;
  quoted: string;
  onClose: () => void;
}

/** Says something on a line. `Ctrl Enter` keeps it, Escape leaves it. */
export function CommentForm({ run, project, path, place, quoted, onClose }: CommentFormProps) {
  const [body, setBody] = useState("");
  const once = useRef({ body: "", key: "" });
  const id = useId();
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: () => {
      if (once.current.body !== body) once.current = { body, key: crypto.randomUUID() };
      return commentChange(run, { path, side: place.side, line: place.line, quoted: cut(quoted), body }, once.current.key);
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.issues(project) });
      onClose();
    },
  });
  const send = () => {
    if (body.trim() !== "" && !save.isPending) save.mutate();
  };
  return (
    <form className="flex flex-col items-start gap-2" onSubmit={(event) => { event.preventDefault(); send(); }}>
      <label htmlFor={id} className="text-sm text-soft">Comment on line {place.line}{place.side === "before" && " as it was"}</label>
      <TextArea
        id={id} rows={3} autoFocus maxLength={4_000} placeholder="What should be otherwise; Markdown" value={body}
        onChange={(event) => setBody(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            send();
          } else if (event.key === "Escape") {
            event.stopPropagation();
            onClose();
          }
        }}
      />
      {save.error !== null && <Refusal what="Not kept" error={save.error} />}
      <span className="flex gap-2">
        <Button look="primary" type="submit" busy={save.isPending} blocked={body.trim() === "" ? "Write something first" : null}>Keep the comment</Button>
        <Button onClick={onClose}>Cancel</Button>
      </span>
    </form>
  );
}

/** As much of a line as is kept with a comment: 2 KiB, whatever its letters. */
function cut(text: string): string {
  return text.replaceAll("\0", "").slice(0, 500);
}
