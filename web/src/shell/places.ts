import type { LinkProps } from "@tanstack/react-router";
import type { IconName } from "@/ui/Icon";

/** A page that the rail, the shortcuts and the palette lead to. A new page adds a line here. */
export interface Place {
  label: string;
  icon: IconName;
  /** Pressed after `g`. */
  key: string;
  to: LinkProps["to"];
  /** Whether it is a page of the project at hand. */
  ofProject: boolean;
}

export const PLACES: readonly Place[] = [
  { label: "Home", icon: "home", key: "h", to: "/", ofProject: false },
  { label: "Board", icon: "board", key: "b", to: "/p/$key/board", ofProject: true },
  { label: "Runs", icon: "runs", key: "r", to: "/p/$key/runs", ofProject: true },
  { label: "Proof", icon: "proof", key: "p", to: "/p/$key/proof", ofProject: true },
  { label: "Audit", icon: "seal", key: "a", to: "/p/$key/audit", ofProject: true },
  { label: "Workers", icon: "worker", key: "w", to: "/workers", ofProject: false },
  { label: "Settings", icon: "settings", key: "s", to: "/p/$key/settings", ofProject: true },
];
