import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { generate } from "../../scripts/schema.mjs";

// The document is compared with the server's routes by the command line's tests.
test("the client is of the API's document", async () => {
  expect(await readFile(new URL("../../src/api/schema.ts", import.meta.url), "utf8")).toBe(await generate());
});
