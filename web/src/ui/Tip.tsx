import * as Tooltip from "@radix-ui/react-tooltip";
import type { ReactElement } from "react";
import { Kbd } from "./Kbd";

/** A word or two about what it is around, on hover and on focus. */
export function Tip({ text, keys, children }: { text: string; keys?: string | undefined; children: ReactElement }) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          sideOffset={5}
          collisionPadding={8}
          className="z-50 flex max-w-80 items-center gap-2 rounded-md border border-line bg-panel px-2 py-1 text-sm text-ink shadow-md"
        >
          <span className="min-w-0 break-words">{text}</span>
          {keys !== undefined && <Kbd keys={keys} />}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}

export const TipProvider = Tooltip.Provider;
