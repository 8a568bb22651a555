import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { plain, styled } from "./ansi";
import { Layout } from "./layout";
import { LineIndex } from "./lines";
import { LINE_BYTES, LogReader } from "./reader";
import { search } from "./search";

const utf8 = new TextEncoder();

describe("lines", () => {
  // W10: whichever pieces a text comes in, its lines are those of the whole.
  test("are those of the whole text, however it is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "\n", "äö", "\r\n", "line of text"), { maxLength: 60 }), fc.integer({ min: 1, max: 7 }), (words, step) => {
        const text = words.join("");
        const bytes = utf8.encode(text);
        const index = new LineIndex();
        for (let at = 0; at < bytes.length; at += step) index.add(bytes.subarray(at, at + step));
        const lines = Array.from({ length: index.count }, (_, at) => {
          const { from, to } = index.span(at);
          return new TextDecoder().decode(bytes.subarray(from, to));
        });
        const expected = text.split("\n");
        if (expected.at(-1) === "") expected.pop();
        expect(lines).toEqual(expected);
      }),
    );
  });
});

describe("the layout", () => {
  test("leads from lines to rows and back, also after guesses were put right", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 1_500 }),
        fc.array(fc.tuple(fc.nat(1_499), fc.integer({ min: 1, max: 30 })), { maxLength: 20 }),
        (heights, changes) => {
          const layout = new Layout(heights.length, (line) => heights[line] ?? 1);
          for (const [line, rows] of changes) {
            if (line >= heights.length) continue;
            expect(layout.set(line, rows)).toBe(rows - (heights[line] ?? 1));
            heights[line] = rows;
          }
          expect(layout.total).toBe(heights.reduce((a, b) => a + b, 0));
          for (let line = 0, row = 0; line < heights.length; row += heights[line] ?? 0, line += 1) {
            expect(layout.before(line)).toBe(row);
            expect(layout.lineAt(row)).toBe(line);
            expect(layout.lineAt(row + (heights[line] ?? 1) - 1)).toBe(line);
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("escapes", () => {
  test("become styles of the page, and nothing else of them is left", () => {
    expect(styled("\u001b[1;31mfailed\u001b[0m ok")).toEqual({ text: "failed ok", parts: [{ from: 0, to: 6, className: "text-bad font-bold" }] });
    expect(styled("\u001b]0;title\u0007a\u001b[2Kb\u001b[10;5Hc\u001b(Bd\u001b")).toEqual({ text: "abcd", parts: [] });
    expect(styled("\u001b]8;;javascript:alert(1)\u001b\\click\u001b]8;;\u001b\\").text).toBe("click");
    expect(styled("\u001b[38;2;1;2;3mx\u001b[38;5;2my").parts).toEqual([{ from: 1, to: 2, className: "text-good" }]);
  });

  // W42: whatever the codes, class names come from a fixed set.
  test("of any kind never add a class or lose text", () => {
    const code = fc.stringMatching(/^[0-9;:?]{0,12}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(code, fc.constantFrom("m", "H", "J", "K"), fc.stringMatching(/^[a-z<>&"]{0,6}$/)), { maxLength: 12 }), (pieces) => {
        const line = pieces.map(([codes, end, text]) => `\u001b[${codes}${end}${text}`).join("");
        const { text, parts } = styled(line);
        expect(text).toBe(pieces.map((piece) => piece[2]).join(""));
        expect(plain(line)).toBe(text);
        for (const { from, to, className } of parts) {
          expect(from).toBeLessThan(to);
          expect(className).toMatch(/^((text|bg)-[a-z-]+|font-bold|italic|underline)( ((text|bg)-[a-z-]+|font-bold|italic|underline))*$/);
        }
      }),
    );
  });
});

describe("a log on the server", () => {
  afterEach(() => vi.unstubAllGlobals());

  function serve(text: string): { asked: string[] } {
    const bytes = utf8.encode(text);
    const asked: string[] = [];
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
      const range = new Headers(init.headers).get("range") ?? "";
      asked.push(range);
      const [from = 0, to = 0] = range.slice(6).split("-").map(Number);
      if (from >= bytes.length) return Promise.resolve(new Response(null, { status: 416, headers: { "content-range": `bytes */${bytes.length}` } }));
      const part = bytes.slice(from, to + 1);
      return Promise.resolve(new Response(part, { status: 206, headers: { "content-range": `bytes ${from}-${from + part.length - 1}/${bytes.length}` } }));
    });
    return { asked };
  }

  test("is read in ranges, and a line that lies in two is whole", async () => {
    const long = "x".repeat((1 << 20) - 5);
    serve(`${long}\nfirst half, second half\nend`);
    const reader = new LogReader({ url: "/log" });
    await reader.scan();
    expect(reader.isWhole).toBe(true);
    expect(reader.index.count).toBe(3);
    expect(reader.line(1)).toEqual({ text: "first half, second half", rest: 0 });
    expect(reader.line(2)?.text).toBe("end");
    // W42: of a line of 1 MB only its beginning is read.
    expect(reader.line(0)).toEqual({ text: "x".repeat(LINE_BYTES), rest: long.length - LINE_BYTES });
  });

  test("that is empty has no lines", async () => {
    serve("");
    const reader = new LogReader({ url: "/log" });
    await reader.scan();
    expect([reader.isWhole, reader.index.count, reader.error]).toEqual([true, 0, null]);
  });

  test("that breaks off is read on from where it was", async () => {
    const text = `${"a line\n".repeat(300_000)}last`;
    const { asked } = serve(text);
    const good = globalThis.fetch;
    let calls = 0;
    vi.stubGlobal("fetch", (...args: Parameters<typeof fetch>) => ((calls += 1) === 2 ? Promise.reject(new TypeError("lost")) : good(...args)));
    const reader = new LogReader({ url: "/log" });
    await reader.scan();
    expect(reader.error).toBeInstanceOf(TypeError);
    await reader.scan();
    expect([reader.error, reader.index.count]).toEqual([null, 300_001]);
    expect(new Set(asked).size).toBe(asked.length);
  });

  test("is searched to its end, whatever the case, without its escapes", async () => {
    const lines = Array.from({ length: 120_000 }, (_, at) => (at % 40_000 === 7 ? "a \u001b[31mNee\u001b[0mdle" : `line ${at}`));
    serve(lines.join("\n"));
    const reader = new LogReader({ url: "/log" });
    await reader.scan();
    let said: readonly number[] = [];
    await search(reader, "needle", (found) => (said = found), new AbortController().signal);
    expect(said).toEqual([7, 40_007, 80_007]);
  });
});
