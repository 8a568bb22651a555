import { useState } from "react";
import type { Shape } from "@/api/client";
import { count } from "@/format/number";
import { visible } from "@/format/text";
import { duration } from "@/format/time";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { StatusMark } from "@/ui/Status";
import { HUES, type Look } from "@/ui/status";
import { Part } from "../panes/Pane";

type Case = Shape<"Case">;

const LOOKS: Record<Shape<"CaseOutcome">, Look> = {
  failed: { hue: "bad", icon: "cross", word: "Failed" },
  error: { hue: "bad", icon: "warning", word: "Error" },
  skipped: { hue: "warning", icon: "dash", word: "Skipped" },
  passed: { hue: "good", icon: "check", word: "Passed" },
};

const ORDER: readonly Shape<"CaseOutcome">[] = ["failed", "error", "skipped", "passed"];
/** A suite of thousands begins with what matters; the rest is one press away. */
const SHOWN = 100;

/** What each test said, those that did not pass first. */
export function Cases({ cases, title = "Tests" }: { cases: readonly Case[]; title?: string }) {
  const [all, showAll] = useState(false);
  const sorted = sortedCases(cases);
  const shown = all ? sorted : sorted.slice(0, SHOWN);
  const words = ORDER.flatMap((outcome) => {
    const number = cases.filter((one) => one.outcome === outcome).length;
    return number === 0 ? [] : [`${count(number)} ${LOOKS[outcome].word.toLowerCase()}`];
  });
  return (
    <Part title={title} aside={<span className="num text-sm text-soft">{words.join(", ")}</span>}>
      <ul className="-mx-4">
        {shown.map((one, at) => (
          <li key={at} className="grid grid-cols-[auto_minmax(0,1fr)_auto] gap-x-2 border-t border-line px-4 py-1 first:border-t-0">
            <span className="pt-0.5"><StatusMark look={LOOKS[one.outcome]} /></span>
            <span className="min-w-0">
              <code className="text-sm break-all"><bdi>{visible(one.name)}</bdi></code>
              {one.file != null && <span className="ml-2 text-sm break-all text-faint">{visible(one.file)}</span>}
            </span>
            <span className="num text-sm text-faint">{one.duration_ms == null ? "" : duration(one.duration_ms)}</span>
            {one.message != null && one.message !== "" && (
              <pre tabIndex={0} className={cx("col-start-2 col-end-4 mt-0.5 max-h-48 overflow-auto rounded-sm px-2 py-1 text-sm break-words whitespace-pre-wrap", HUES[LOOKS[one.outcome].hue].tint)}>
                {one.message.slice(0, 8_000).split("\n").map(visible).join("\n")}
              </pre>
            )}
          </li>
        ))}
      </ul>
      {!all && sorted.length > SHOWN && <Button className="mt-2" onClick={() => showAll(true)}>Show all {count(sorted.length)}</Button>}
    </Part>
  );
}

/** Those that did not pass first, each kind in its order. */
export function sortedCases(cases: readonly Case[]): Case[] {
  return ORDER.flatMap((outcome) => cases.filter((one) => one.outcome === outcome));
}
