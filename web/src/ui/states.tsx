import type { ReactNode } from "react";
import { problemFrom } from "@/api/problem";
import { Button } from "./Button";
import { cx } from "./classes";
import { Icon, type IconName } from "./Icon";

/** A grey bar where a text will be. */
export function Bar({ width = "100%", className }: { width?: string; className?: string }) {
  return <span aria-hidden="true" className={cx("skeleton inline-block h-3 align-middle", className)} style={{ width }} />;
}

/** Rows where rows will be: the real layout, without its words (W3). */
export function SkeletonRows({ rows, columns, label }: { rows: number; columns: readonly string[]; label: string }) {
  return (
    <div role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="flex h-9 items-center gap-6 border-b border-line px-4 max-sm:h-16">
          {columns.map((width, at) => (
            <Bar key={at} width={width} />
          ))}
        </div>
      ))}
    </div>
  );
}

/** Nothing is here yet: what would be, and the one next action. */
export function Empty({ icon, title, children, action }: { icon: IconName; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="mx-auto flex w-full max-w-xl flex-col items-start gap-3 px-4 py-12">
      <Icon name={icon} size={22} className="text-faint" />
      <h2 className="text-lg font-semibold">{title}</h2>
      {children !== undefined && <div className="flex max-w-full flex-col gap-3 text-soft">{children}</div>}
      {action}
    </div>
  );
}

/** What failed, its code, and a retry that retries (P80). */
export function Failed({ what, error, onRetry, busy = false }: { what: string; error: unknown; onRetry?: () => void; busy?: boolean }) {
  const problem = problemFrom(error);
  return (
    <div role="alert" className="m-4 flex max-w-3xl flex-col items-start gap-2 rounded-lg border border-bad/40 bg-bad-tint px-4 py-3">
      <div className="flex items-center gap-2 font-semibold text-bad">
        <Icon name="warning" />
        {what}
      </div>
      <p className="break-words">{problem.detail}</p>
      <p className="text-sm break-words text-soft">
        <Code code={problem.code} />
        {problem.hint !== "" && <> {problem.hint}</>}
        {problem.requestId !== undefined && <> (request {problem.requestId})</>}
      </p>
      {onRetry !== undefined && (
        <Button icon="retry" busy={busy} onClick={onRetry}>
          Retry
        </Button>
      )}
    </div>
  );
}

/** A code, with a link to its page when it is one of the server's. */
export function Code({ code }: { code: string }) {
  if (!code.startsWith("PH-")) return <code className="text-sm">{code}</code>;
  return (
    <a href={`/api/docs/errors/${code}`} target="_blank" rel="noreferrer" className="font-mono text-sm underline underline-offset-2">
      {code}
    </a>
  );
}

/** A command to type, with a button that copies it. */
export function Commands({ lines }: { lines: readonly string[] }) {
  return (
    <pre className="w-full overflow-x-auto rounded-md border border-line bg-panel px-3 py-2 text-sm leading-5 text-ink" tabIndex={0}>
      {lines.join("\n")}
    </pre>
  );
}
