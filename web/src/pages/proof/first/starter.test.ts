import { expect, test } from "vitest";
import type { Gate } from "@/api/queries/proof";
import { starterOf } from "./starter";

const gate = (name: string, runners: string[], more: Partial<Gate> = {}): Gate => ({
  name, runners, accepted: true, argv: [], checklist: [], cwd: "", definition: "d", enabled: true, exclusive: false, how: "automatic", meaning: "", timeout_s: 1, title: name, ...more,
});
const runner = (name: string, missing: string[] = []) => ({ runner: name, roots: [""], gates: [], missing: missing.map((tool) => ({ tool, hint: "" })) });

test("the suite under `unit` comes first, else the first gate that something can run", () => {
  expect(starterOf([gate("unit", [])], [])).toBeNull();
  expect(starterOf([gate("e2e", ["command"]), gate("unit", ["rust"])], [runner("rust")])?.gate).toBe("unit");
  expect(starterOf([gate("unit", []), gate("manual", ["x"], { how: "review" }), gate("e2e", ["command"])], [])?.body.title).toBe("The gate e2e holds");
});

test("of several runners it takes one whose tools are there", () => {
  const starter = starterOf([gate("unit", ["python", "rust"])], [runner("python", ["uv"]), runner("rust")]);
  expect(starter?.body.rules).toEqual([{ gate: "unit", how: "suite", runner: "rust" }]);
});
