import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { answerQuestion, type Question } from "@/api/queries/questions";
import { absolute, instant } from "@/format/time";
import { Button } from "@/ui/Button";
import { TextArea } from "@/ui/Field";
import { Code } from "@/ui/states";

type Decision = "approve" | "revise" | "deny";

/** A person says yes or no to one use of a tool. A yes is bound to the digest of what is shown here. */
export function ApprovalForm({ question }: { question: Question }) {
  const [words, setWords] = useState("");
  const id = useId();
  const client = useQueryClient();
  const answer = useMutation({
    mutationFn: (decision: Decision) =>
      answerQuestion(question.id, {
        decision,
        ...(decision === "approve" ? { digest: question.schema.digest } : {}),
        ...(words.trim() === "" ? {} : { text: words.trim() }),
      }),
    onSettled: () => Promise.all([
      client.invalidateQueries({ queryKey: keys.questions }),
      client.invalidateQueries({ queryKey: keys.run(question.run) }),
    ]),
  });
  const problem = answer.error === null ? null : problemFrom(answer.error);
  const going = answer.isPending ? answer.variables : null;
  const busy = (decision: Decision) => (going !== null && going !== decision ? "An answer is on its way" : null);

  return (
    <div className="flex flex-col gap-2">
      <label htmlFor={id} className="sr-only">What the agent is told</label>
      <TextArea
        id={id} rows={2} maxLength={2_000} placeholder="What the agent is told with a no; needed for “Something else”"
        value={words} onChange={(event) => setWords(event.target.value)} className="min-h-14"
      />
      {problem !== null && (
        <p role="alert" className="text-bad">
          {problem.detail} (<Code code={problem.code} />)
        </p>
      )}
      <div className="flex flex-wrap items-center gap-2">
        <Button look="primary" icon="check" busy={going === "approve"} blocked={busy("approve")} onClick={() => answer.mutate("approve")}>
          Allow once
        </Button>
        <Button look="danger" icon="cross" busy={going === "deny"} blocked={busy("deny")} onClick={() => answer.mutate("deny")}>
          Deny
        </Button>
        <Button
          look="plain" busy={going === "revise"}
          blocked={busy("revise") ?? (words.trim() === "" ? "Say what the agent shall do instead" : null)}
          onClick={() => answer.mutate("revise")}
        >
          Something else
        </Button>
        {question.expires_at !== null && question.expires_at !== undefined && (
          <span className="text-sm text-soft">
            Without an answer it is a no at <time dateTime={question.expires_at}>{absolute(instant(question.expires_at))}</time>
          </span>
        )}
      </div>
    </div>
  );
}
