import { expect, test } from "vitest";
import { rank } from "./rank";

test("what begins with the letters comes before what holds them; all parts must be there", () => {
  const found = (asked: string) => rank(["My runs", "Runs", "Proof of runs", "Trunk"], asked, (one) => one);
  expect(found("run")).toEqual(["Runs", "My runs", "Proof of runs", "Trunk"]);
  expect(found("run pro")).toEqual(["Proof of runs"]);
  expect(found("")).toHaveLength(4);
  expect(found("nothing")).toEqual([]);
});
