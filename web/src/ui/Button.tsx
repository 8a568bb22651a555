import type { ComponentProps, ReactNode } from "react";
import { cx } from "./classes";
import { Icon, type IconName } from "./Icon";
import { Tip } from "./Tip";

type Look = "plain" | "primary" | "danger" | "quiet";

const LOOKS: Record<Look, string> = {
  plain: "border-line-strong/60 bg-bg text-ink hover:bg-well",
  primary: "border-transparent bg-accent text-on-accent hover:opacity-90",
  danger: "border-bad/50 bg-bg text-bad hover:bg-bad-tint",
  quiet: "border-transparent bg-transparent text-soft hover:bg-well hover:text-ink",
};

export interface ButtonProps extends Omit<ComponentProps<"button">, "disabled"> {
  look?: Look;
  icon?: IconName;
  /** Why it cannot be pressed now. A button is never disabled without saying so (W6). */
  blocked?: string | null | undefined;
  /** Its action is under way. */
  busy?: boolean;
  children?: ReactNode;
}

export function Button({ look = "plain", icon, blocked, busy = false, className, children, onClick, ...rest }: ButtonProps) {
  const off = busy || (blocked !== null && blocked !== undefined);
  const button = (
    <button
      type="button"
      {...rest}
      // It stays reachable by keyboard, so that its reason can be read.
      aria-disabled={off || undefined}
      aria-busy={busy || undefined}
      onClick={(event) => (off ? event.preventDefault() : onClick?.(event))}
      className={cx(
        "inline-flex h-7 shrink-0 items-center justify-center gap-1.5 rounded-md border px-2.5 text-base font-medium whitespace-nowrap select-none max-sm:h-9",
        LOOKS[look],
        off && "cursor-not-allowed opacity-55",
        className,
      )}
    >
      {busy ? <Icon name="running" size={14} className="spin" /> : icon !== undefined && <Icon name={icon} size={14} />}
      {children}
    </button>
  );
  return typeof blocked === "string" ? <Tip text={blocked}>{button}</Tip> : button;
}

export interface IconButtonProps extends Omit<ComponentProps<"button">, "disabled" | "children"> {
  icon: IconName;
  /** What it does: its name for readers and its tooltip. */
  label: string;
  keys?: string;
}

export function IconButton({ icon, label, keys, className, ...rest }: IconButtonProps) {
  return (
    <Tip text={label} keys={keys}>
      <button
        type="button"
        aria-label={label}
        {...rest}
        className={cx(
          "inline-flex size-7 shrink-0 items-center justify-center rounded-md text-soft hover:bg-well hover:text-ink max-sm:size-9",
          className,
        )}
      >
        <Icon name={icon} />
      </button>
    </Tip>
  );
}
