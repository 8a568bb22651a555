import fc from "fast-check";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, test } from "vitest";
import { Drawn } from "./Drawn";
import { parse, type Node } from "./tree";

const html = (text: string, level = 4) => renderToStaticMarkup(<Drawn text={text} level={level} />);

/** Every node of a text, those within others too. */
function all(nodes: readonly Node[]): Node[] {
  return nodes.flatMap((node) => [node, ...("children" in node ? all(node.children) : [])]);
}

describe("Markdown", () => {
  test("is drawn in its forms", () => {
    const drawn = html("# Basket\n\nIt is **zero**, *not* `NaN`,\nand ~~one~~.\n\n1. first\n2. second\n\n- [x] seen\n- [ ] open\n\n> said\n\n```ts\nconst a = 1;\n```\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n---");
    for (const part of [">Basket</h4>", ">zero</strong>", "<em>not</em>", ">NaN</code>", "<br/>", "<s>one</s>", "<ol start=\"1\"", "Done: ", "To do: ", "<blockquote", "aria-label=\"Code: ts\"", "<th ", "text-right", "<hr"]) {
      expect(drawn).toContain(part);
    }
  });

  // W42, P10: nothing that was written becomes more than text.
  test("raw HTML is text, and only http and https lead anywhere", () => {
    const evil = [
      "<script>hit()</script>", "<img src=x onerror=hit()>", "text <b onclick=hit()>bold</b>", "[a](javascript:hit())", "[a](JaVaScRiPt:hit())",
      "[a](&#106;avascript:hit())", "[a](java\nscript:hit())", "[a](vbscript:hit())", "[a](data:text/html,<script>hit()</script>)", "[a](/api/v1/me)", "[a](//other.example)",
      "[a](mailto:a@b.example)", "<javascript:hit()>", "[a][r]\n\n[r]: javascript:hit()", "![a](javascript:hit())", "![a](data:image/svg+xml,x)", "```<img>\n<script>\n```",
      "[a](https:javascript)", "[a](\u0001javascript:hit())",
    ];
    for (const text of evil) {
      const drawn = html(text);
      expect(drawn, text).not.toMatch(/<(?:script|img|iframe|b|svg)\b/i);
      expect(drawn, text).not.toMatch(/href="(?!https?:\/\/)/i);
      expect(drawn, text).not.toMatch(/<[^>]*\son\w+=/i);
    }
  });

  // W11: the page asks no other host for anything.
  test("an image is a link to it, and a link holds no other", () => {
    expect(html("![the basket](https://example.org/a.png)")).toMatch(/<a href="https:\/\/example.org\/a.png" target="_blank" rel="noopener noreferrer"[^>]*>image: the basket/);
    expect(html("[![x](https://example.org/a.png)](https://example.org/b)").match(/<a /g)).toHaveLength(1);
    expect(html("see https://example.org/a?b=1. README.md, example.org and a@b.example")).toMatch(/^[^<]*<p dir="auto">see <a href="https:\/\/example.org\/a\?b=1"(?:(?!<a ).)*$/s);
  });

  test("signs that turn the text around or hide in it are shown as signs", () => {
    expect(html("safe\u202egnp.exe and \u200b `a\u2066b` [t\u202ex](https://example.org)")).not.toMatch(/[\u200b\u202e\u2066]/);
  });

  // W5: no level of heading is left out, wherever the text begins.
  test("headings begin below the part that they stand in", () => {
    expect(html("### a\n\n##### b\n\n# c", 3).match(/<h\d/g)).toEqual(["<h3", "<h4", "<h3"]);
    expect(html("# a\n## b\n### c\n#### d\n##### e", 4).match(/<h\d/g)).toEqual(["<h4", "<h5", "<h6", "<h6", "<h6"]);
  });

  test("what nests deeper than the parser follows stands as it was written", () => {
    const text = `${">".repeat(60)} the end`;
    expect(html(text)).toContain("the end");
    expect(html(`${"- ".repeat(40)}the end`)).toContain("the end");
    expect(html(`${"*".repeat(400)}the end${"*".repeat(400)}`)).toContain("the end");
  });

  test("no text makes it fail, run away or lead elsewhere", () => {
    const pieces = fc.constantFrom("#", "*", "_", "[", "](", ")", "![", "<", ">", "`", "```", "|", "\n", "- ", "1. ", "javascript:", "https://a.b", "&#x6a;", "\u0000", "\u202e", " ", "\\", "[x] ", "~~");
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 60 }).map((parts) => parts.join(""))), (text) => {
        for (const node of all(parse(text))) {
          if (node.type === "link" || node.type === "image") expect(node.href).toMatch(/^https?:\/\/[^/]/i);
        }
        html(text);
      }),
      { numRuns: 500 },
    );
  });

  test("the longest text that the plane takes, however knotted, is read in a moment", () => {
    const begun = performance.now();
    for (const text of ["[".repeat(20_000), "`a".repeat(10_000), "*a_".repeat(6_600), "| a ".repeat(4_000), "[a](".repeat(5_000), "<a".repeat(10_000)]) parse(text);
    expect(performance.now() - begun).toBeLessThan(3_000);
  });
});
