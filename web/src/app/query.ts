import { QueryClient } from "@tanstack/react-query";
import { Refused } from "@/api/problem";

/** Answers are made old by what streams tell, not by time; what failed for want of a server is tried again. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      gcTime: 5 * 60_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) => {
        const status = error instanceof Refused ? error.problem.status : null;
        return failures < 2 && (status === 0 || (status !== null && status >= 500));
      },
      retryDelay: (attempt) => 500 * 2 ** attempt,
      // A server on this machine is there without a network.
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});
