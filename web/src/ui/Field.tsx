import { useId, type ComponentProps, type ReactNode } from "react";
import { cx } from "./classes";

const BOX = "w-full rounded-md border border-line-strong bg-bg px-2.5 text-base text-ink";

/** A control with its name, its help and what is wrong with it. */
export function Field({ label, help, error, children }: { label: string; help?: string; error?: string | null; children: (ids: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode }) {
  const id = useId();
  const notes = [help !== undefined && `${id}-help`, typeof error === "string" && `${id}-error`].filter((note) => note !== false);
  return (
    // Beside one another, boxes are of one height.
    <div className="flex flex-col gap-1 [&_select]:h-8 [&_select]:border-line-strong max-sm:[&_select]:h-10">
      <label htmlFor={id} className="font-medium">
        {label}
      </label>
      {children({
        id,
        ...(notes.length > 0 ? { "aria-describedby": notes.join(" ") } : {}),
        ...(typeof error === "string" ? { "aria-invalid": true } : {}),
      })}
      {help !== undefined && <p id={`${id}-help`} className="text-sm text-soft">{help}</p>}
      {typeof error === "string" && <p id={`${id}-error`} className="text-sm text-bad">{error}</p>}
    </div>
  );
}

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input {...rest} className={cx(BOX, "h-8 max-sm:h-10", className)} />;
}

export function TextArea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea {...rest} className={cx(BOX, "min-h-20 py-1.5", className)} />;
}

export function Select({ className, ...rest }: ComponentProps<"select">) {
  return <select {...rest} className={cx("h-7 rounded-md border border-line-strong/60 bg-bg px-1.5 text-base text-ink max-sm:h-9", className)} />;
}
