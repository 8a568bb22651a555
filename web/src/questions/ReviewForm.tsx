import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { answerQuestion, type Question } from "@/api/queries/questions";
import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { TextArea } from "@/ui/Field";
import { Code } from "@/ui/states";
import { toggled } from "@/ui/toggled";

type Decision = "accept" | "reject";

/** A person looks and says whether it holds. What was ticked and written stays when the answer is refused. */
export function ReviewForm({ question }: { question: Question }) {
  const checklist = checklistOf(question);
  const [ticked, tick] = useState<ReadonlySet<number>>(new Set());
  const [comment, setComment] = useState("");
  const id = useId();
  const client = useQueryClient();
  const answer = useMutation({
    mutationFn: (decision: Decision) =>
      answerQuestion(question.id, {
        decision,
        items: [...ticked].sort((a, b) => a - b),
        ...(comment.trim() === "" ? {} : { text: comment.trim() }),
      }),
    onSettled: () => Promise.all([
      client.invalidateQueries({ queryKey: keys.questions }),
      client.invalidateQueries({ queryKey: keys.run(question.run) }),
    ]),
  });
  const left = checklist.length - ticked.size;
  const problem = answer.error === null ? null : problemFrom(answer.error);
  const going = answer.isPending ? answer.variables : null;

  return (
    <div className="flex flex-col gap-2">
      {checklist.length > 0 && (
        <fieldset className="flex flex-col gap-1">
          <legend className="sr-only">Checklist</legend>
          {checklist.map((item, at) => (
            <label key={at} className="flex items-start gap-2">
              <input
                type="checkbox"
                checked={ticked.has(at)}
                onChange={() => tick((before) => toggled(before, at))}
                className="mt-0.5 size-4 accent-accent"
              />
              <span className="min-w-0 break-words">{visible(item)}</span>
            </label>
          ))}
        </fieldset>
      )}
      <label htmlFor={id} className="sr-only">Comment</label>
      <TextArea id={id} rows={2} maxLength={2_000} placeholder="Comment; needed to reject" value={comment} onChange={(event) => setComment(event.target.value)} className="min-h-14" />
      {problem !== null && (
        <p role="alert" className="text-bad">
          {problem.detail} (<Code code={problem.code} />)
        </p>
      )}
      <div className="flex gap-2">
        <Button
          look="primary" icon="check" busy={going === "accept"}
          blocked={going === "reject" ? "An answer is on its way" : left > 0 ? `Tick what you looked at: ${left} left` : null}
          onClick={() => answer.mutate("accept")}
        >
          Accept
        </Button>
        <Button
          look="danger" icon="cross" busy={going === "reject"}
          blocked={going === "accept" ? "An answer is on its way" : comment.trim() === "" ? "Say in the comment what does not hold" : null}
          onClick={() => answer.mutate("reject")}
        >
          Reject
        </Button>
      </div>
    </div>
  );
}

function checklistOf(question: Question): string[] {
  const list = question.schema.checklist;
  return Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
}
