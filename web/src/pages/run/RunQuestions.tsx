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
import { cx } from "@/ui/classes";
import { Dialog } from "@/ui/Dialog";
import { Icon } from "@/ui/Icon";

interface RunQuestionsProps {
  run: Run;
  project: string;
  told: LiveRun | null;
  /** Only what another run asked: beside a place that has its own. */
  shared?: boolean;
}

/** What a run waits for a person with, to be answered here: its own questions, and those it shares with others. */
export function RunQuestions({ run, project, told, shared = false }: RunQuestionsProps) {
  const { data } = useQuery(openQuestionsQuery);
  const [answering, answer] = useState(false);
  const open = (data?.items ?? []).filter((question) => question.run === run.id ? !shared : told?.asked.has(question.id) === true);
  const first = open[0];
  return (
    <>
      {first !== undefined && (
        <section aria-label="What it waits for" className={cx("flex shrink-0 flex-wrap items-center gap-x-3 gap-y-1.5 bg-warning-tint py-2", shared ? "rounded-md px-3" : "border-b border-line px-4")}>
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
