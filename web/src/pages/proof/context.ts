import { createContext, useContext } from "react";
import type { Run } from "@/api/queries/runs";
import type { LiveRun } from "@/live/run";
import type { Start } from "./start";

/** What the parts of the proof page share. */
export interface ProofAtHand {
  project: string;
  /** The run that is active, as it is now. */
  active: Run | null;
  told: LiveRun | null;
  /** The run that ended last. */
  last: Run | null;
  start: Start;
  /** Why nothing may be started or changed by this reader; null when it may. */
  readOnly: string | null;
  /** Why this reader may not decide: waive, accept, set. */
  notAdmin: string | null;
  titleOf: (requirement: string) => string | null;
  openCapture: () => void;
}

export const ProofContext = createContext<ProofAtHand | null>(null);

export function useProof(): ProofAtHand {
  const proof = useContext(ProofContext);
  if (proof === null) throw new Error("a part of the proof page stands outside of it");
  return proof;
}
