import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";
import { Refused } from "@/api/problem";
import type { Shape } from "@/api/client";
import { keys } from "@/api/queries/keys";
import { proofStatusQuery, startProof, type ProofConfig } from "@/api/queries/proof";
import { runQuery } from "@/api/queries/runs";

/** A wish for a run: the key makes a repeated request the same one, however its answer was lost (P78). */
interface Wish {
  key: string;
  config: ProofConfig;
}

const TRIES = 6;

export interface Start {
  /** Asks for a run. While one is being asked for, further wishes are not heard. */
  start: (config: ProofConfig) => void;
  /** Asks again for the same, with the same key. */
  again: () => void;
  dismiss: () => void;
  isStarting: boolean;
  error: Error | null;
  /** The answer to the last wish. */
  started: Shape<"Started"> | null;
}

/** Starts proof runs of a project. A run that is active already is joined, and said so. */
export function useStart(project: string): Start {
  const client = useQueryClient();
  const wished = useRef<Wish | null>(null);
  const mutation = useMutation({
    mutationFn: ({ key, config }: Wish) => startProof(project, config, key),
    retry: (failures, error) => failures < TRIES && error instanceof Refused && (error.problem.status === 0 || error.problem.status >= 502),
    retryDelay: (attempt) => Math.min(10_000, 500 * 2 ** attempt),
    onSuccess: async ({ run: id }) => {
      // The run surfaces follow it at once, without waiting for the list.
      const run = await client.query({ ...runQuery(id), staleTime: 0 }).catch(() => null);
      if (run !== null && run.finished_at == null) {
        client.setQueryData(proofStatusQuery(project).queryKey, (status) => (status === undefined ? status : { ...status, active_run: run }));
      }
      await client.invalidateQueries({ queryKey: [...keys.proof(project), "status"] });
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.runs(project) }),
  });
  return {
    start: (config) => {
      if (mutation.isPending) return;
      wished.current = { key: crypto.randomUUID(), config };
      mutation.mutate(wished.current);
    },
    again: () => {
      if (wished.current !== null && !mutation.isPending) mutation.mutate(wished.current);
    },
    dismiss: () => mutation.reset(),
    isStarting: mutation.isPending,
    error: mutation.error,
    started: mutation.data ?? null,
  };
}
