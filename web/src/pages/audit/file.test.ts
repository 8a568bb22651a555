import { afterEach, expect, test, vi } from "vitest";
import type { Entry } from "@/live/protocol";
import { cell, fileOf, row, splitter } from "./file";

const entry = (seq: number, kind: string, data: Entry["data"]): Entry => ({ stream: "audit:1", seq, at: "2026-11-21T00:00:00Z", kind, level: "info", data });

afterEach(() => vi.unstubAllGlobals());

// W29, W42: what people wrote never becomes a formula, a second column or a second row.
test("a cell is text, whatever stands in it", () => {
  expect(["plain", "a,b", 'say "no"', "two\nlines", "=1+1", "@x", "-1", "+1", "\tx"].map(cell)).toEqual([
    "plain", '"a,b"', '"say ""no"""', '"two\nlines"', "'=1+1", "'@x", "'-1", "'+1", "'\tx",
  ]);
  const waived = entry(3, "waiver.granted", { requirement: "REQ-0007", reason: "=HYPERLINK(\"x\"), soon", actor: { type: "person", name: "ana" } });
  expect(row(waived)).toBe(`3,2026-11-21T00:00:00Z,ana,waived,REQ-0007,"'=HYPERLINK(""x""), soon",waiver.granted`);
});

test("lines are put together from pieces, and a cut one is none", () => {
  const lines = splitter();
  expect([lines("a\nb"), lines("c"), lines("\n\nd")]).toEqual([["a"], [], ["bc", ""]]);
});

// X47: the lines of a file are those of the journal to the byte, though some numbers are larger than the page's.
test("a file holds what fits, as it was written", async () => {
  const big = `{"stream":"audit:1","seq":1,"at":"2026-11-21T00:00:00Z","kind":"token.made","level":"info","data":{"n":18446744073709551615}}`;
  const other = JSON.stringify(entry(2, "settings.changed", {}));
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(`${big}\n${other}\n`)));
  const told = vi.fn();
  const file = (format: "jsonl" | "csv", fits: (entry: Entry) => boolean) => fileOf("shop", format, fits, told, new AbortController().signal).then((blob) => blob.text());
  expect(await file("jsonl", ({ kind }) => kind === "token.made")).toBe(`${big}\n`);
  expect(await file("jsonl", () => true)).toBe(`${big}\n${other}\n`);
  expect((await file("csv", () => true)).split("\n").length).toBe(4);
  expect(told).toHaveBeenLastCalledWith(2);
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(JSON.stringify({ code: "PH-1005", detail: "no" }), { status: 403 })));
  await expect(file("csv", () => true)).rejects.toThrow("PH-1005");
});
