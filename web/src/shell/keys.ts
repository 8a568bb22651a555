import { useEffect, useRef } from "react";

/** What a key, or two in a row (`g r`), does. */
export type Bindings = Readonly<Record<string, (event: KeyboardEvent) => void>>;

/** The second key of a pair must follow this soon. */
const PAIR = 1_200;

const stack: Bindings[] = [];
let first: { key: string; at: number } | null = null;

/**
 * Binds keys while the component is shown; the newest binding of a key wins. Those of the shell lie
 * beneath those of a page, whichever was there first.
 */
export function useKeys(bindings: Bindings, beneath = false): void {
  const current = useRef(bindings);
  useEffect(() => {
    current.current = bindings;
  });
  const names = Object.keys(bindings).join("\n");
  useEffect(() => {
    const entry: Bindings = Object.fromEntries(
      names.split("\n").map((name) => [name, (event: KeyboardEvent) => current.current[name]?.(event)]),
    );
    if (beneath) stack.unshift(entry);
    else stack.push(entry);
    return () => {
      stack.splice(stack.indexOf(entry), 1);
    };
  }, [names, beneath]);
}

/** Whether a key belongs to what is being typed. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function find(name: string): ((event: KeyboardEvent) => void) | undefined {
  for (let at = stack.length - 1; at >= 0; at -= 1) {
    const bound = stack[at]?.[name];
    if (bound !== undefined) return bound;
  }
  return undefined;
}

function hear(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    const palette = find("mod k");
    if (palette !== undefined) {
      event.preventDefault();
      palette(event);
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  // What is behind an open dialog or menu does not hear keys.
  if (document.querySelector("dialog[open], [role=menu]") !== null) return;
  const pair = first !== null && event.timeStamp - first.at < PAIR ? find(`${first.key} ${event.key}`) : undefined;
  first = null;
  const bound = pair ?? find(event.key);
  if (bound !== undefined) {
    event.preventDefault();
    bound(event);
  } else if (stack.some((bindings) => Object.keys(bindings).some((name) => name.startsWith(`${event.key} `)))) {
    first = { key: event.key, at: event.timeStamp };
  }
}

/** Listens for keys; once, from the shell. */
export function listenForKeys(): () => void {
  document.addEventListener("keydown", hear);
  return () => document.removeEventListener("keydown", hear);
}
