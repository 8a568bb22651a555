import { useQuery } from "@tanstack/react-query";
import { openQuestionsQuery } from "@/api/queries/questions";
import { QuestionCard } from "@/questions/QuestionCard";
import { Dialog } from "@/ui/Dialog";
import { Empty, Failed, SkeletonRows } from "@/ui/states";
import { useProjectAtHand } from "./project";

/** What people are asked, over all projects, newest first. */
export function Inbox({ onClose }: { onClose: () => void }) {
  const { data, error, isFetching, refetch } = useQuery(openQuestionsQuery);
  const { projects } = useProjectAtHand();
  const keyOf = (id: string) => projects.find((project) => project.id === id)?.key ?? null;
  return (
    <Dialog title="Inbox" shape="sheet" onClose={onClose}>
      {data === undefined && error === null && <SkeletonRows rows={3} columns={["60%"]} label="Loading questions" />}
      {data === undefined && error !== null && <Failed what="The questions could not be loaded" error={error} busy={isFetching} onRetry={() => void refetch()} />}
      {data?.items.length === 0 && (
        <Empty icon="inbox" title="Nothing is asked">
          <p>When a run needs a person, such as for a review gate, its question shows here. Answering it lets the run go on.</p>
        </Empty>
      )}
      {data?.items.map((question) => (
        <QuestionCard key={question.id} question={question} project={keyOf(question.project)} onLeave={onClose} />
      ))}
    </Dialog>
  );
}
