import { useEffect, useRef, type ReactNode } from "react";
import { cx } from "./classes";
import { Icon } from "./Icon";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** A box in the middle, a sheet at the right, or bare at the top, as the palette. */
  shape?: "box" | "sheet" | "bare";
  footer?: ReactNode;
}

/**
 * A dialog by the browser's own means: what is behind it is inert, Escape closes it, and focus goes
 * back to where it came from. It is shown as long as it is mounted.
 */
export function Dialog({ title, onClose, children, shape = "box", footer }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    // A dialog begins at its beginning, not at its first button; the palette at its input.
    if (dialog?.contains(document.activeElement) !== true || !(document.activeElement instanceof HTMLInputElement)) dialog?.focus();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      tabIndex={-1}
      aria-label={title}
      onCancel={(event) => {
        // One that stands in this one closes alone.
        if (event.target !== event.currentTarget) return;
        event.preventDefault();
        onClose();
      }}
      // A click beside the box is on the dialog itself.
      onClick={(event) => event.target === event.currentTarget && onClose()}
      className={cx(
        "flex-col overflow-hidden border-line outline-none bg-bg text-ink shadow-2xl open:flex",
        shape === "box" && "m-auto max-h-[85dvh] w-[min(34rem,calc(100vw-1rem))] rounded-lg border",
        shape === "bare" && "mx-auto mt-[10dvh] max-h-[70dvh] w-[min(40rem,calc(100vw-1rem))] rounded-lg border",
        shape === "sheet" && "sheet-in mr-0 ml-auto h-dvh w-[min(clamp(30rem,32vw,52rem),100vw)] border-l",
      )}
    >
      {shape !== "bare" && (
        <header className="flex items-center justify-between gap-2 border-b border-line py-2 pr-2 pl-4">
          <h2 className="truncate text-lg font-semibold">{title}</h2>
          {/* Without a tooltip: that would take the first Escape for itself. */}
          <button type="button" aria-label="Close" title="Close (Esc)" onClick={onClose} className="flex size-7 items-center justify-center rounded-md text-soft hover:bg-well hover:text-ink max-sm:size-9">
            <Icon name="cross" />
          </button>
        </header>
      )}
      <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain">{children}</div>
      {footer !== undefined && <footer className="flex justify-end gap-2 border-t border-line px-4 py-2.5">{footer}</footer>}
    </dialog>
  );
}
