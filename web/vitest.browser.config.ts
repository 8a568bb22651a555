import { defineConfig } from "vitest/config";

// One file after the other: the machine is small, and each file starts a plane and a browser.
export default defineConfig({
  test: {
    include: ["tests/browser/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A page that is looked at in the very moment something changes: tried again before it counts, and
    // told as a retry.
    retry: 2,
  },
});
