import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Icon } from "@/ui/Icon";
import { without } from "../search";

/** The head of what lies beside the table, with the way back. */
export function PaneHead({ lead, title, children }: { lead?: ReactNode; title: ReactNode; children?: ReactNode }) {
  return (
    <header className="flex min-h-11 shrink-0 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line py-1.5 pr-2 pl-4">
      {lead}
      <h2 className="flex min-w-0 items-center gap-2 text-base font-semibold">{title}</h2>
      <div className="ml-auto flex items-center gap-2">
        {children}
        <Link
            from="/p/$key/proof" to="/p/$key/proof" search={(before) => without(before, "view", "evidence")}
            aria-label="Close details" title="Close (Esc)"
            className="inline-flex size-7 items-center justify-center rounded-md text-soft hover:bg-well hover:text-ink max-sm:size-9"
          >
            <Icon name="cross" />
          </Link>
      </div>
    </header>
  );
}

/** A part of a pane, with its name. */
export function Part({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <section aria-label={title} className="border-b border-line px-4 py-3">
      <div className="mb-2 flex items-center gap-2">
        <h3 className="text-sm font-semibold text-soft">{title}</h3>
        <span className="ml-auto flex items-center gap-2">{aside}</span>
      </div>
      {children}
    </section>
  );
}
