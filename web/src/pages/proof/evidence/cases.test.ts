import { expect, test } from "vitest";
import { lastLine } from "@/format/text";
import { sortedCases } from "./Cases";
import { sandboxInWords } from "./sandbox";

test("what did not pass comes first, each in its order", () => {
  const of = (name: string, outcome: "passed" | "failed" | "error" | "skipped") => ({ name, outcome });
  expect(sortedCases([of("a", "passed"), of("b", "failed"), of("c", "skipped"), of("d", "failed"), of("e", "error")]).map((one) => one.name)).toEqual(["b", "d", "e", "c", "a"]);
});

test("the level of confinement is said in full, and what could not be had", () => {
  expect(sandboxInWords({ files: "enforced", network: "off", by: "landlock" })).toBe("files fenced, network off, by landlock");
  expect(sandboxInWords({ files: "none", network: "open", by: "none", missing: ["landlock"] })).toBe("files not fenced, network open; could not be had: landlock");
});

// W42: a terminal's colours and cursor moves are no text.
test("the last line is the newest with words, without a terminal's codes", () => {
  expect(lastLine("one\ntwo\u001b[31m red\u001b[0m\n\n")).toBe("two red");
  expect(lastLine("10%\r20%\r30%")).toBe("30%");
  expect(lastLine("")).toBe("");
  expect(lastLine("x".repeat(5_000))).toHaveLength(301);
});
