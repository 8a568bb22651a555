import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { openQuestionsQuery } from "@/api/queries/questions";
import type { Run } from "@/api/queries/runs";
import { counted } from "@/format/number";
import { visible } from "@/format/text";
import type { LiveRun } from "@/live/run";
import { titleOf } from "@/questions/budget";
import { QuestionCard } from "@/questions/QuestionCard";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Icon } from "@/ui/Icon";

/** What a run waits for a person with, to be answered here: its own questions, and those it shares with others. */
export function RunQuestions({ run, project, told }: { run: Run; project: string; told: LiveRun | null }) {
  const { data } = useQuery(openQuestionsQuery);
  const [answering, answer] = useState(false);
  const open = (data?.items ?? []).filter((question) => question.run === run.id || told?.asked.has(question.id) === true);
  const first = open[0];
  return (
    <>
      {first !== undefined && (
        <section aria-label="What it waits for" className="flex shrink-0 flex-wrap items-center gap-x-3 gap-y-1.5 border-b border-line bg-warning-tint px-4 py-2">
          <p className="flex min-w-0 items-start gap-2 font-medium text-warning">
            <Icon name="question" size={14} className="mt-0.5" />
            <span className="min-w-0 break-words">{visible(titleOf(first))}{open.length > 1 && <>, and {counted(open.length - 1, "more question")}</>}</span>
          </p>
          <Button icon="pencil" onClick={() => answer(true)}>Answer</Button>
        </section>
      )}
      {answering && (
        <Dialog title={open.length === 0 ? "Answered" : `The run waits for ${open.length === 1 ? "an answer" : counted(open.length, "answer")}`} onClose={() => answer(false)}>
          {open.length === 0
            ? <p role="status" className="px-4 py-3 text-soft">Nothing is asked any more.</p>
            : open.map((question) => <QuestionCard key={question.id} question={question} project={project} onLeave={() => answer(false)} />)}
        </Dialog>
      )}
    </>
  );
}
