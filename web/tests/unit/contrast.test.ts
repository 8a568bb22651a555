import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";

/** The colours of a theme, by token. */
async function tokens(theme: 0 | 1): Promise<Map<string, string>> {
  const css = await readFile(new URL("../../src/theme.css", import.meta.url), "utf8");
  const found = css.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g);
  return new Map([...found].map((match) => [match[1] ?? "", match[2 + theme] ?? ""]));
}

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (r ?? 0) + 0.7152 * (g ?? 0) + 0.0722 * (b ?? 0);
}

function contrast(one: string, other: string): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const GROUNDS = ["bg", "panel", "well"];
const HUES = ["neutral", "running", "good", "warning", "bad"];

// W8: texts at 4.5, marks and borders of controls at 3.
describe.each([["light", 0], ["dark", 1]] as const)("in the %s theme", (_, theme) => {
  test.each(["ink", "soft", "faint", "accent", ...HUES])("%s is readable on every ground", async (name) => {
    const colours = await tokens(theme);
    const grounds = HUES.includes(name) || name === "accent" ? [...GROUNDS, `${name}-tint`] : [...GROUNDS, "accent-tint"];
    for (const ground of grounds) {
      expect(contrast(colours.get(name) ?? "", colours.get(ground) ?? ""), `${name} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    }
  });

  test("what stands on the accent is readable, and borders of controls are seen", async () => {
    const colours = await tokens(theme);
    expect(contrast(colours.get("on-accent") ?? "", colours.get("accent") ?? "")).toBeGreaterThanOrEqual(4.5);
    for (const ground of GROUNDS) expect(contrast(colours.get("line-strong") ?? "", colours.get(ground) ?? "")).toBeGreaterThanOrEqual(3);
  });
});
