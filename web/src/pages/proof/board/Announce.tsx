import { useEffect, useRef, useState } from "react";
import type { Run } from "@/api/queries/runs";
import { count } from "@/format/number";
import { isTerminal, lookOfRun } from "@/ui/status";
import type { Counts } from "./gates";

/** What is said to readers comes together, so that a fast run does not talk over itself (P82). */
const PACE = 2_000;

/** Says progress to readers politely, and a failure at once. */
export function Announce({ run, counts }: { run: Run; counts: Counts }) {
  const done = isTerminal(run.status);
  const words = done
    ? `Run ended: ${lookOfRun(run.status, run.verdict).word}`
    : `${count(run.progress.done)} of ${count(run.progress.total)} gates ended${counts.failed > 0 ? `, ${count(counts.failed)} failed` : ""}`;
  // A run that had ended before it was looked at is no news.
  const [wasGoing] = useState(!done);
  const [said, say] = useState("");
  const newest = useRef(words);
  useEffect(() => {
    newest.current = words;
  });
  useEffect(() => {
    if (!wasGoing) return;
    const timer = setInterval(() => say(newest.current), PACE);
    return () => clearInterval(timer);
  }, [wasGoing]);
  return (
    <>
      <p role="status" className="sr-only">{said}</p>
      {wasGoing && counts.failed > 0 && <p role="alert" className="sr-only">{count(counts.failed)} failed</p>}
    </>
  );
}
