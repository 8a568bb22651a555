import { useSyncExternalStore } from "react";
import type { Wish } from "./notices";

const NAME = "notify";
const WISHES: readonly Wish[] = ["nothing", "needed", "everything"];
const listeners = new Set<() => void>();

function tell(): void {
  for (const listener of listeners) listener();
}

function read(): Wish {
  try {
    return WISHES.find((known) => known === localStorage.getItem(NAME)) ?? "nothing";
  } catch {
    return "nothing";
  }
}

/** Keeps in this browser, for all its tabs, what its person wants to be told. */
export function setWish(wish: Wish): void {
  try {
    localStorage.setItem(NAME, wish);
  } catch {
    // A browser that keeps nothing tells nothing: better silent than asking anew in each tab.
  }
  tell();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  // Another tab has decided.
  addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("storage", listener);
  };
}

export function useWish(): Wish {
  return useSyncExternalStore(listen, read);
}

/** What the browser lets this page do; `unable` where it has no notifications, as over plain HTTP from elsewhere. */
export type Leave = NotificationPermission | "unable";

function leave(): Leave {
  return typeof Notification === "function" && isSecureContext ? Notification.permission : "unable";
}

/** The browser's leave, as it is now. */
export function useLeave(): Leave {
  return useSyncExternalStore(listen, leave);
}

/** Asks the browser's person for leave. Only ever called from what a person does (P81). */
export async function askLeave(): Promise<void> {
  await Notification.requestPermission();
  tell();
}
