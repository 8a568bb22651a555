import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useRef, useState } from "react";
import { commentsQuery, sayOnIssue, type Issue } from "@/api/queries/issues";
import { keys } from "@/api/queries/keys";
import { counted } from "@/format/number";
import { visible } from "@/format/text";
import { IssueQuestions } from "@/questions/IssueQuestions";
import { Button } from "@/ui/Button";
import { TextArea } from "@/ui/Field";
import { Markdown } from "@/ui/Markdown";
import { Failed, SkeletonRows } from "@/ui/states";
import { Ago } from "@/ui/Time";
import { Refusal } from "./Refusal";

/** What runs of the issue wait for, to be answered here (S96). */
function OpenQuestions({ issue, project }: { issue: Issue; project: string }) {
  if (issue.open_questions === 0) return null;
  return (
    <section aria-label="Open questions" className="rounded-md border border-warning/40">
      <h2 className="border-b border-line px-4 py-2 font-medium text-warning">{counted(issue.open_questions, "open question")}</h2>
      <IssueQuestions issue={issue} project={project} />
    </section>
  );
}

/** What was said on an issue, and a place to say something. */
export function Conversation({ issue, project }: { issue: Issue; project: string }) {
  const comments = useQuery(commentsQuery(project, issue.id));
  const [body, setBody] = useState("");
  const once = useRef({ body: "", key: "" });
  const id = useId();
  const client = useQueryClient();
  const say = useMutation({
    mutationFn: () => {
      // Sent again after a lost answer, the same words are the same comment.
      if (once.current.body !== body) once.current = { body, key: crypto.randomUUID() };
      return sayOnIssue(issue.id, body, once.current.key);
    },
    onSuccess: () => {
      once.current = { body: "", key: "" };
      setBody("");
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.issues(project) }),
  });
  return (
    <div className="flex flex-col gap-3">
      <OpenQuestions issue={issue} project={project} />
      {comments.isPending && <SkeletonRows rows={2} columns={["6rem", "60%"]} label="Loading the conversation" />}
      {comments.data === undefined && comments.error !== null && <Failed what="The conversation could not be loaded" error={comments.error} onRetry={() => void comments.refetch()} />}
      {comments.data?.length === 0 && <p className="text-soft">Nobody has said anything yet.</p>}
      {comments.data !== undefined && comments.data.length > 0 && (
        <ol aria-label="Conversation" className="flex flex-col gap-3">
          {comments.data.map((comment) => (
            <li key={comment.id} className="flex flex-col gap-1 rounded-md border border-line px-3 py-2">
              <p className="text-sm text-soft">
                <span className="font-medium text-ink">{visible("name" in comment.actor ? comment.actor.name : comment.actor.type)}</span> <Ago at={comment.at} />
              </p>
              <Markdown text={comment.body} level={3} />
            </li>
          ))}
        </ol>
      )}
      <form
        className="flex flex-col items-start gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          if (body.trim() !== "" && !say.isPending) say.mutate();
        }}
      >
        <label htmlFor={id} className="sr-only">Comment</label>
        <TextArea id={id} rows={3} placeholder="Say something; Markdown" value={body} onChange={(event) => setBody(event.target.value)} />
        {say.error !== null && <Refusal what="Not said" error={say.error} />}
        <Button look="primary" type="submit" busy={say.isPending} blocked={body.trim() === "" ? "Write something first" : null}>Comment</Button>
      </form>
    </div>
  );
}
