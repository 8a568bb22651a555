import { useQuery } from "@tanstack/react-query";
import { issueRunsQuery, type Card } from "@/api/queries/issues";
import { openQuestionsQuery } from "@/api/queries/questions";
import { counted } from "@/format/number";
import { Dialog } from "@/ui/Dialog";
import { Failed, SkeletonRows } from "@/ui/states";
import { QuestionCard } from "./QuestionCard";

/** What the runs of an issue ask, each to be answered here. */
export function IssueQuestions({ issue, project, onLeave }: { issue: Pick<Card, "id" | "open_questions">; project: string; onLeave?: () => void }) {
  const questions = useQuery(openQuestionsQuery);
  const runs = useQuery(issueRunsQuery(project, issue.id));
  const error = questions.error ?? runs.error;
  if (questions.data === undefined || runs.data === undefined) {
    return error === null
      ? <SkeletonRows rows={2} columns={["60%"]} label="Loading the questions" />
      : <Failed what="The questions could not be loaded" error={error} onRetry={() => void Promise.all([questions.refetch(), runs.refetch()])} />;
  }
  const ids = new Set(runs.data.items.map((run) => run.id));
  const open = questions.data.items.filter((question) => ids.has(question.run));
  return open.length === 0
    ? <p role="status" className="px-4 py-3 text-soft">Nothing is asked any more.</p>
    : open.map((question) => <QuestionCard key={question.id} question={question} project={project} {...(onLeave === undefined ? {} : { onLeave })} />);
}

/** The same over a card of the board (S95). */
export function CardQuestions({ card, project, onClose }: { card: Card; project: string; onClose: () => void }) {
  return (
    <Dialog title={card.open_questions === 0 ? `#${card.number}` : `#${card.number} asks ${counted(card.open_questions, "question")}`} onClose={onClose}>
      <IssueQuestions issue={card} project={project} onLeave={onClose} />
    </Dialog>
  );
}
