import { problemFrom } from "@/api/problem";
import { Code } from "@/ui/states";

/** Why something was not done, in a line. */
export function Refusal({ what, error }: { what: string; error: unknown }) {
  const problem = problemFrom(error);
  return (
    <p role="alert" className="rounded-md border border-bad/40 bg-bad-tint px-3 py-2 break-words">
      <span className="font-medium text-bad">{what}:</span> {problem.detail}. {problem.hint} (<Code code={problem.code} />)
    </p>
  );
}
