import { describe, expect, test } from "vitest";
import { dollars, microsOf, typed } from "./money";
import { bytes, count, counted } from "./number";
import { commandLine, oneLine, visible } from "./text";
import { ago, duration, elapsed } from "./time";

// W7: units and separators.
test.each([
  [0, "0 ms"], [70, "70 ms"], [999, "999 ms"], [1_200, "1.2 s"], [9_949, "9.9 s"], [9_960, "10 s"], [59_400, "59 s"],
  [59_600, "1 min 00 s"], [185_000, "3 min 05 s"], [7_440_000, "2 h 04 min"], [273_600_000, "3 d 04 h"], [NaN, "unknown"], [-5, "0 ms"],
])("%d ms is %s", (ms, words) => expect(duration(ms)).toBe(words));

test("a counting clock shows whole seconds", () => {
  expect([0, 999, 1_000, 2_700, 65_400].map(elapsed)).toEqual(["0 s", "0 s", "1 s", "2 s", "1 min 05 s"]);
});

test("times past are in the unit that matters", () => {
  const now = Date.UTC(2026, 10, 21, 12);
  expect([0, 12_000, 300_000, 3 * 3_600_000, 2 * 86_400_000].map((past) => ago(now - past, now))).toEqual(["just now", "12 s ago", "5 min ago", "3 h ago", "2 d ago"]);
  expect(ago(now - 30 * 86_400_000, now)).toMatch(/^2026-10-2\d$/);
  // A time far ahead is not "just now": it is shown as it is.
  expect(ago(now + 3_600_000, now)).toMatch(/^2026-11-21/);
});

test("sizes and counts", () => {
  expect([0, 999, 1_000, 4_200, 49_999_999, 50_000_000_000].map(bytes)).toEqual(["0 B", "999 B", "1 kB", "4.2 kB", "50 MB", "50 GB"]);
  expect([count(1_234_567), counted(1, "gate"), counted(0, "gate"), counted(2, "entry", "entries")]).toEqual(["1,234,567", "1 gate", "0 gates", "2 entries"]);
});

// W7, X1: no amount looks like nothing that is not, and what is typed is taken exactly or not at all.
test("amounts", () => {
  expect([0, 12, 4_200, 9_999, 10_000, 1_500_000, 1_234_567_890, -20_000].map(dollars)).toEqual(["$0", "$0.000012", "$0.0042", "$0.0100", "$0.01", "$1.50", "$1,234.57", "-$0.02"]);
  expect([0, 1_000_000, 2_500_000, 1, 20_000].map(typed)).toEqual(["0.00", "1.00", "2.50", "0.000001", "0.02"]);
  expect(["2.50", " $7 ", "1,000", "0", "0.000001", "1,000.5"].map(microsOf)).toEqual([2_500_000, 7_000_000, 1_000_000_000, 0, 1, 1_000_500_000]);
  expect(["", "-1", "1e3", "0.0000001", ".5", "5.", "none", "1,00", "NaN"].map(microsOf)).toEqual(Array(9).fill(null));
});

// W42: no name passes for another, none breaks a line or turns the text around.
describe("foreign text", () => {
  test("shows what cannot be seen", () => {
    expect(visible("a\u202eb\u0000c\u200bd\ufeff")).toBe("a⟨202e⟩b⟨00⟩c⟨200b⟩d⟨feff⟩");
    expect(visible("plain\ttext\n<b>ünï 🙂")).toBe("plain\ttext\n<b>ünï 🙂");
  });

  test("is cut to one line, and commands are quoted as one would type them", () => {
    expect(oneLine("first\nsecond")).toBe("first");
    expect(oneLine("x".repeat(400))).toHaveLength(301);
    expect(commandLine(["sh", "-c", "echo it's"])).toBe(`sh -c 'echo it'\\''s'`);
  });
});
