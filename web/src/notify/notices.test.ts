import { describe, expect, test } from "vitest";
import type { Data, Entry, StreamId } from "@/live/protocol";
import { badged, noticeOf } from "./notices";

const entry = (stream: StreamId, kind: string, data: Data): Entry => ({ stream, seq: 1, at: "2026-11-21T00:00:00Z", kind, level: "info", data });
const ofRun = (kind: string, data: Data) => entry("run:7", kind, data);
const ofProject = (kind: string, data: Data) => entry("project:2", kind, { run: "7", run_kind: "proof", ...data });

// P81: one for each failed gate of a run, none for what is unproven.
describe("what is told", () => {
  test("is each gate of a run that failed, under one name", () => {
    const failed = (requirement: string) => noticeOf(ofRun("gate.finished", { requirement, gate: "unit", verdict: "failed", message: "exit code 1" }), "shop", "needed");
    expect(failed("REQ-0001")).toEqual({ tag: "gate:7/unit", title: "shop: unit failed", body: "REQ-0001: exit code 1", href: "/p/shop/proof/runs/7" });
    expect(failed("REQ-0002")?.tag).toBe("gate:7/unit");
  });
  test.each(["unproven", "passed"])("is not a gate that is %s", (verdict) => {
    expect(noticeOf(ofRun("gate.finished", { gate: "unit", verdict }), "shop", "everything")).toBeNull();
  });
  test("is a question, once, though two streams tell it", () => {
    const data = { question: "q", prompt: "Look at\u202e it" };
    expect(noticeOf(ofRun("question.asked", data), "shop", "needed")).toBeNull();
    const notice = noticeOf(ofProject("question.asked", data), "shop", "needed");
    expect(notice?.tag).toBe("question:q");
    expect(notice?.body).not.toContain("\u202e");
  });
  test("is a run that could not do its work, and other ends only for whoever wants all", () => {
    const end = (data: Data, wish: "needed" | "everything") => noticeOf(ofProject("run.finished", data), "shop", wish)?.title ?? null;
    expect(end({ status: "failed" }, "needed")).toBe("shop: proof failed");
    expect(end({ status: "completed", verdict: "failed", run_kind: "dispatch" }, "needed")).toBe("shop: dispatch failed");
    expect(end({ status: "completed", verdict: "failed" }, "needed")).toBeNull();
    expect(end({ status: "completed", verdict: "passed" }, "needed")).toBeNull();
    expect(end({ status: "completed", verdict: "passed" }, "everything")).toBe("shop: proof ended, passed");
    expect(end({ status: "cancelled" }, "everything")).toBeNull();
  });
  test("is nothing for whoever wants nothing", () => {
    expect(noticeOf(ofProject("run.finished", { status: "failed" }), "shop", "nothing")).toBeNull();
  });
});

test("a title tells how much waits, once", () => {
  expect(badged("Proof · shop", 2)).toBe("(2) Proof · shop");
  expect(badged("(2) Proof · shop", 3)).toBe("(3) Proof · shop");
  expect(badged("(99+) Proof · shop", 0)).toBe("Proof · shop");
  expect(badged("Proof", 120)).toBe("(99+) Proof");
});
