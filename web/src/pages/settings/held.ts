import { createContext, use } from "react";

/** Whether something was typed that is not saved. */
export type EditState = "clean" | "changed" | "saving";

export interface EditingParts {
  report: (state: EditState) => void;
  /** Takes what is stored now, and drops what was typed. */
  load: () => void;
  /** Somebody else has saved since one began to type. */
  isBehind: boolean;
  /** It was saved, and nothing was typed since. */
  isSaved: boolean;
  onSaved: () => void;
}

export const EditingContext = createContext<EditingParts | null>(null);

/** What a form's parts tell their editor; nothing outside of one. */
export function useEditing(): EditingParts | null {
  return use(EditingContext);
}

/** What a form stands on: what is stored, unless something is typed; then what it stood on before. */
export function standsOn<T extends { revision: number }>(held: T, stored: T, state: EditState): T {
  if (stored.revision === held.revision) return stored;
  return state === "clean" ? stored : held;
}
