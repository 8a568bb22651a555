import { expect, test } from "vitest";
import type { Data, Entry } from "@/live/protocol";
import { aboutOf, didOf, whoOf, whyOf, wordsOf } from "./words";
import { readAuditSearch } from "./search";

const entry = (kind: string, data: Data): Entry => ({ stream: "audit:1", seq: 1, at: "2026-11-21T00:00:00Z", kind, level: "info", data });

// W29: who did what, to what, and why.
test("an entry is a sentence", () => {
  const waived = entry("waiver.granted", { requirement: "REQ-0007", reason: "not before\u202e May", actor: { type: "person", name: "ana" } });
  expect([whoOf(waived.data), didOf(waived.kind), aboutOf(waived), whyOf(waived)]).toEqual(["ana", "waived", "REQ-0007", expect.not.stringContaining("\u202e")]);
  expect(wordsOf(waived)).toContain("ana waived req-0007");
  const forced = entry("issue.execution", { number: 3, actor: { type: "token", name: "ci" } });
  expect(`${whoOf(forced.data)} ${didOf(forced.kind)} ${aboutOf(forced)}`).toBe("ci changed who does issue #3");
  // A kind that this page does not know is still told.
  expect(didOf("thing.was_done")).toBe("thing was done");
  expect(whoOf({})).toBe("the plane");
});

test("an address that makes no sense is the whole list", () => {
  expect(readAuditSearch({ about: "x", q: "  ", entry: -1 })).toEqual({});
  expect(readAuditSearch({ about: "waiver", q: 7, entry: 3 })).toEqual({ about: "waiver", q: "7", entry: 3 });
});
