import { lazy, Suspense, type ReactNode } from "react";
import { visible } from "@/format/text";
import { cx } from "./classes";

// The parser comes when the first text does: the shell does without it (W11). Should it not come, the
// text stands as it was written.
const Drawn = lazy<(text: { text: string; level: number }) => ReactNode>(() => import("./markdown/Drawn").then((here) => ({ default: here.Drawn }), () => ({ default: Written })));

interface MarkdownProps {
  text: string;
  /** The level of its first headings: one below that of the part it stands in. */
  level?: number;
  className?: string;
}

/**
 * What a person or an agent wrote, as Markdown. Nothing in it is more than text, form and links: raw HTML
 * is shown as it was written, only `http` and `https` lead anywhere, and an image is a link to it (P10).
 */
export function Markdown({ text, level = 4, className }: MarkdownProps) {
  return (
    <div className={cx("flex max-w-[80ch] min-w-0 flex-col gap-2 break-words", className)}>
      <Suspense fallback={<Written text={text} />}>
        <Drawn text={text} level={level} />
      </Suspense>
    </div>
  );
}

function Written({ text }: { text: string }) {
  return <p className="whitespace-pre-wrap">{text.split("\n").map(visible).join("\n")}</p>;
}
