import { readFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { AxeResults } from "axe-core";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { expect, onTestFailed } from "vitest";
import type { Plane } from "./plane";

const ARGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const SHOTS = fileURLToPath(new URL("../../../target/screenshots/", import.meta.url));
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The system's browser, with an empty profile. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS, headless: true });
}

export interface Look {
  width?: number;
  height?: number;
  theme?: "light" | "dark";
}

/** A signed-in tab. What the page complains about fails the test that `complaints` is asked in. */
export async function signedIn(browser: Browser, plane: Plane, look: Look = {}): Promise<{ page: Page; context: BrowserContext; complaints: string[] }> {
  const context = await browser.newContext({
    viewport: { width: look.width ?? 1440, height: look.height ?? 900 },
    colorScheme: look.theme ?? "light",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const complaints = listen(page);
  // What was on the screen tells more than what was waited for.
  if (expect.getState().currentTestName !== undefined) {
    onTestFailed(async () => {
      const text = await page.locator("body").innerText({ timeout: 2_000 }).catch(() => "the page was closed");
      process.stderr.write(`${page.url()} showed:\n${text.replace(/\n+/g, " | ").slice(0, 2_000)}\n`);
    });
  }
  await page.goto(await plane.signInLink());
  await page.waitForURL(`${plane.url}/`);
  return { page, context, complaints };
}

/** What the page writes to the console as an error, and what it throws. */
export function listen(page: Page): string[] {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // The browser itself reports each refused or lost request; what the page makes of it is tested.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
  });
  return complaints;
}

/** W5: axe finds nothing, whatever the page shows now. */
export async function accessible(page: Page): Promise<void> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(await readFile(AXE, "utf8"));
  const results = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: () => Promise<AxeResults> } };
    return axe.run();
  });
  const found = results.violations.map((violation) => `${violation.id}: ${violation.help}\n  ${violation.nodes.map((node) => node.html).slice(0, 4).join("\n  ")}`);
  expect(found).toEqual([]);
}

/** Keeps a picture of what is shown, for a person to compare. */
export async function shot(page: Page, name: string): Promise<void> {
  await mkdir(SHOTS, { recursive: true });
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`) });
}

/** Nothing lies beyond the right edge. */
export async function fits(page: Page): Promise<void> {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(over).toBeLessThanOrEqual(0);
}
