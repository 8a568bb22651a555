import { fileURLToPath } from "node:url";
import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { pack } from "./scripts/pack.mjs";

const plane = process.env.PROOFHOUSE_URL ?? "http://127.0.0.1:7420";

export default defineConfig({
  plugins: [react(), tailwind(), pack()],
  resolve: { alias: { "@": fileURLToPath(new URL("src", import.meta.url)) } },
  build: {
    // The page's policy allows nothing from `data:` addresses, and one file more costs nothing here.
    assetsInlineLimit: 0,
    target: "es2023",
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  // `npm run dev` shows the sources over a running plane: sign in there by pasting a token.
  server: { proxy: { "/api": { target: plane, changeOrigin: true, headers: { origin: plane } } } },
  test: { include: ["src/**/*.test.{ts,tsx}", "tests/unit/**/*.test.ts"] },
});
