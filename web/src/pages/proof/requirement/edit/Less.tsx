import { visible } from "@/format/text";
import { Field, TextArea } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import type { Less as LessOf } from "./edit";

interface LessProps {
  less: readonly LessOf[];
  reason: string;
  setReason: (reason: string) => void;
  /** Why this reader may not decide it. */
  notAdmin: string | null;
  wrong: string | null;
}

/** Says in which ways less is asked for than before, and asks why: it stays with the project for good (P12). */
export function Less({ less, reason, setReason, notAdmin, wrong }: LessProps) {
  return (
    <section aria-label="Less is asked for" className="flex flex-col gap-3 rounded-md border border-warning/40 bg-warning-tint p-3">
      <div role="status">
        <p className="flex items-center gap-1.5 font-medium text-warning"><Icon name="warning" size={14} /> This asks for less than before</p>
        <ul className="mt-1 text-sm">
          {less.map(({ gate, words }) => (
            <li key={gate + words} className="break-words"><span className="font-medium">{gate}</span>: {visible(words)}</li>
          ))}
        </ul>
      </div>
      {notAdmin === null ? (
        <Field label="Why less is enough" help="Your name and this reason are kept in the audit log." error={wrong}>
          {(ids) => <TextArea {...ids} required rows={2} maxLength={2_000} value={reason} onChange={(event) => setReason(event.target.value)} className="min-h-14" />}
        </Field>
      ) : (
        <p className="text-sm">{notAdmin}. Everything else may be saved.</p>
      )}
    </section>
  );
}
