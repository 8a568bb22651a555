import { Link } from "@tanstack/react-router";
import type { Question } from "@/api/queries/questions";
import { shortId, visible } from "@/format/text";
import { Commands } from "@/ui/states";
import { Icon } from "@/ui/Icon";
import { Markdown } from "@/ui/Markdown";
import { Ago } from "@/ui/Time";
import { askOf, titleOf } from "./budget";
import { ApprovalForm } from "./ApprovalForm";
import { BudgetForm } from "./BudgetForm";
import { ReviewForm } from "./ReviewForm";

function AnswerForm({ question }: { question: Question }) {
  if (question.kind === "review") return <ReviewForm question={question} />;
  if (question.kind === "approval") return <ApprovalForm question={question} />;
  const ask = askOf(question);
  if (ask !== null) return <BudgetForm question={question} ask={ask} />;
  return <Commands lines={[`proofhouse answer ${question.id}`]} />;
}

/** A question, with the means to answer it. */
export function QuestionCard({ question, project, onLeave }: { question: Question; project: string | null; onLeave?: () => void }) {
  const ask = askOf(question);
  const title = visible(titleOf(question));
  return (
    <article className="flex flex-col gap-2 border-b border-line px-4 py-3" aria-label={title}>
      <header className="flex items-baseline gap-2">
        <Icon name="question" size={14} className="translate-y-0.5 text-warning" />
        <h3 className="min-w-0 flex-1 font-semibold break-words">{title}</h3>
        <Ago at={question.created_at} className="shrink-0 text-sm text-faint" />
      </header>
      {/* What is asked about money, the form shows as it stands now. */}
      {ask === null && <Markdown text={question.prompt} />}
      <p className="text-sm text-soft">
        {project !== null && (
          <>
            {project},{" "}
            <Link to="/p/$key/runs/$run" params={{ key: project, run: question.run }} onClick={onLeave} className="underline underline-offset-2 hover:text-ink">
              run {shortId(question.run)}
            </Link>{" "}
            waits for it{ask?.pool === "day" && ", with every other run here that needs money today"}
          </>
        )}
      </p>
      <AnswerForm question={question} />
    </article>
  );
}
