import * as Dropdown from "@radix-ui/react-dropdown-menu";
import type { ReactElement, ReactNode } from "react";
import { cx } from "./classes";
import { Icon, type IconName } from "./Icon";

/** A menu below what it is around. It locks nothing: scrolling or clicking elsewhere closes it. */
export function Menu({ trigger, children, align = "start" }: { trigger: ReactElement; children: ReactNode; align?: "start" | "end" }) {
  return (
    <Dropdown.Root modal={false}>
      <Dropdown.Trigger asChild>{trigger}</Dropdown.Trigger>
      {/* Within a landmark, for readers (W5). */}
      <Dropdown.Portal container={document.getElementById("main")}>
        <Dropdown.Content
          align={align}
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-[70dvh] min-w-48 overflow-y-auto rounded-md border border-line bg-bg p-1 shadow-lg"
        >
          {children}
        </Dropdown.Content>
      </Dropdown.Portal>
    </Dropdown.Root>
  );
}

export function MenuItem({ icon, hint, onSelect, children }: { icon?: IconName; hint?: string; onSelect: () => void; children: ReactNode }) {
  return (
    <Dropdown.Item onSelect={onSelect} className={ITEM}>
      {icon !== undefined && <Icon name={icon} className="text-soft" />}
      <span className="min-w-0 flex-1 truncate">{children}</span>
      {hint !== undefined && <span className="text-sm text-faint">{hint}</span>}
    </Dropdown.Item>
  );
}

/** Choices of which one holds. */
export function MenuChoice<T extends string>({ value, options, onChange }: { value: T; options: readonly (readonly [T, string])[]; onChange: (value: T) => void }) {
  return (
    <Dropdown.RadioGroup value={value} onValueChange={(next) => onChange(next as T)}>
      {options.map(([option, label]) => (
        <Dropdown.RadioItem key={option} value={option} className={ITEM}>
          <span className="w-4">
            <Dropdown.ItemIndicator>
              <Icon name="check" size={14} />
            </Dropdown.ItemIndicator>
          </span>
          <span className="min-w-0 flex-1 truncate">{label}</span>
        </Dropdown.RadioItem>
      ))}
    </Dropdown.RadioGroup>
  );
}

export function MenuLabel({ children }: { children: ReactNode }) {
  return <Dropdown.Label className="px-2 pt-1.5 pb-1 text-xs text-faint">{children}</Dropdown.Label>;
}

export function MenuLine() {
  return <Dropdown.Separator className="my-1 h-px bg-line" />;
}

const ITEM = cx(
  "flex h-8 cursor-pointer items-center gap-2 rounded-sm px-2 text-base outline-none select-none max-sm:h-10",
  "data-highlighted:bg-accent-tint data-highlighted:text-ink",
);
