import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane, type Repository } from "./plane";

let plane: Plane;
let browser: Browser;
let shop: Repository;
let ended: string;

const HOSTILE = "<img src=x onerror=\"globalThis.pwned=1\"> \u202eevil\u202c \u0007 العربية 🙂 ";

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  shop = await plane.repository("shop", ["unit", "slow", "big"]);
  await shop.capture("Totals add up", "unit", "slow");
  await shop.capture(`Shown ${HOSTILE}`.slice(0, 110).replaceAll("\u0007", ""), "big");
  await writeFile(path.join(shop.folder, "hostile.txt"), `${HOSTILE}\n\u001b[31mred\u001b[0m\n${"x".repeat(1_000_000)}\nlast line`);
  await shop.gate("unit", "show hostile.txt");
  await shop.gate("big", "lines 2400000");
  await shop.gate("slow", "say one", "lines 50", "exit 1");
  ended = await shop.start();
  await shop.ended(ended, 60_000);
}, 120_000);

afterAll(async () => {
  await browser.close();
  await plane.end();
});

const at = (page: Page, run: string, search = "") => page.goto(`${plane.url}/p/shop/runs/${run}${search}`);
const text = (page: Page) => page.getByRole("region", { name: "Output: text" });

describe("what a command did", () => {
  // W23, W2, W10, W5: its output of any length, searched, with a line that is linked to.
  test.each([["light", 1440], ["dark", 390], ["light", 2560]] as const)("is shown with its output in the %s theme at %i px", async (theme, width) => {
    const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
    await at(page, ended);
    await page.getByRole("button", { name: "./gate big" }).click();
    const detail = page.getByRole("complementary", { name: "Details of ./gate big" });
    await detail.getByText("exit 0 after").waitFor();
    await detail.getByText(/of which the beginning and the end are kept/).waitFor();
    await detail.getByText(/lines, 10\.5 MB/).waitFor();
    // Only what is in view is in the document.
    expect(await text(page).locator("[data-line]").count()).toBeLessThan(140);
    // P34: where something was left out stands a mark.
    await detail.getByLabel("Search the text").fill("left out");
    await detail.getByRole("status").filter({ hasText: /^1$/ }).waitFor();
    await page.keyboard.press("Enter");
    await text(page).getByText(/left out here: the beginning and the end are kept/).waitFor();
    await shot(page, `run-output-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    // Enter before the first hit is kept, and done when there is one.
    await detail.getByLabel("Search the text").fill("2399999");
    await page.keyboard.press("Enter");
    const found = text(page).locator("[data-line]").filter({ hasText: /2399999$/ });
    const line = await found.getAttribute("data-line");
    await found.getByRole("button").click();
    await page.waitForURL(new RegExp(`line=${line ?? ""}`));
    // W2: the address leads to the very line.
    await page.reload();
    await text(page).locator(`[data-line="${line ?? ""}"]`).getByText("2399999", { exact: true }).waitFor();
    await detail.getByRole("button", { name: "Wrap" }).click();
    await text(page).getByText("2399999", { exact: true }).waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });

  test("is taken along whole", async () => {
    const { page, context } = await signedIn(browser, plane);
    await at(page, ended);
    await page.getByRole("button", { name: "./gate slow" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
    const lines = (await readFile(await download.path(), "utf8")).trimEnd().split("\n");
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([51, "one", "50"]);
    await context.close();
  });

  // W42: what a command prints, however hostile, is text, and holds the layout.
  test.each([1440, 390])("is text and nothing else, at %i px", async (width) => {
    const { page, context, complaints } = await signedIn(browser, plane, { width });
    await at(page, ended);
    await page.getByRole("button", { name: "./gate unit" }).click();
    await text(page).getByText("<img src=x onerror=").waitFor();
    await text(page).getByText(/more on this line/).waitFor();
    await text(page).getByText("last line").waitFor();
    expect(await text(page).locator("img").count()).toBe(0);
    const heights = await text(page).locator("[data-line]").evaluateAll((lines) => lines.map((line) => (line as HTMLElement).offsetHeight));
    expect(new Set(heights)).toEqual(new Set([18]));
    await fits(page);
    await shot(page, `run-hostile-${width}`);
    await page.getByRole("button", { name: "Wrap" }).click();
    await text(page).getByText("last line").waitFor();
    await fits(page);
    await page.goto(`${plane.url}/p/shop/runs/${ended}?view=journal&kind=command.output`);
    await page.getByRole("table", { name: "Journal" }).waitFor();
    await accessible(page);
    await fits(page);
    expect(await page.evaluate(() => "pwned" in globalThis)).toBe(false);
    expect(complaints).toEqual([]);
    await context.close();
  });

  // W23: who follows sees what begins last, and what it prints, as it prints it.
  test("is followed as it happens", async () => {
    await shop.gate("slow", "say first words", "wait more", "say second words", "wait done", "exit 0");
    const run = await shop.start();
    const { page, context, complaints } = await signedIn(browser, plane);
    await at(page, run);
    const detail = page.getByRole("complementary", { name: "Details of ./gate slow" });
    await detail.getByText("first words").waitFor();
    await accessible(page);
    await shot(page, "run-follow-1440");
    await shop.let("more");
    await detail.getByText("second words").waitFor();
    await shop.let("done");
    await page.getByRole("button", { name: "Run all again" }).waitFor();
    expect((await shop.ended(run)).verdict).toBe("passed");
    expect(complaints).toEqual([]);
    await context.close();
  });

  test("leads to its evidence", async () => {
    const { page, context } = await signedIn(browser, plane);
    await at(page, ended);
    await page.getByRole("button", { name: "REQ-0001 slow" }).click();
    const detail = page.getByRole("complementary", { name: "Details of REQ-0001 slow" });
    await detail.getByText("$ ./gate slow").waitFor();
    await detail.getByRole("link", { name: /^[0-9a-f]{8}$/ }).click();
    await page.waitForURL(/\/p\/shop\/proof.*evidence=/);
    await context.close();
  });
});

describe("the journal", () => {
  // W23, W2: filtered by kind and level, an entry that is linked to, the rest as a file.
  test.each([["dark", 1440], ["light", 390]] as const)("is filtered, linked to and taken along in the %s theme at %i px", async (theme, width) => {
    const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
    await at(page, ended, "?view=journal");
    const table = page.getByRole("table", { name: "Journal" });
    await table.getByRole("row").nth(5).waitFor();
    await accessible(page);
    await fits(page);
    await shot(page, `run-journal-${theme}-${width}`);
    await page.getByRole("button", { name: "All kinds" }).click();
    await page.getByRole("checkbox", { name: /gate\.finished/ }).check();
    await accessible(page);
    await page.keyboard.press("Escape");
    await page.waitForURL(/kind=/);
    await page.getByText(/^3 of \d+ entries$/).waitFor();
    expect(await table.getByText("gate.finished").count()).toBe(3);
    const href = await page.getByRole("link", { name: "JSONL" }).getAttribute("href");
    expect(href).toContain("kind=gate.finished");
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "JSONL" }).click()]);
    const lines = (await readFile(await download.path(), "utf8")).trim().split("\n").map((line) => JSON.parse(line) as { seq: number; kind: string });
    expect(lines.map((entry) => entry.kind)).toEqual(["gate.finished", "gate.finished", "gate.finished"]);
    const seq = lines[1]?.seq ?? 0;
    await page.getByRole("button", { name: `Entry ${seq}`, exact: true }).click();
    await page.waitForURL(new RegExp(`entry=${seq}`));
    await page.reload();
    await page.getByRole("complementary", { name: `Entry ${seq}` }).getByText(`"seq": ${seq}`).waitFor();
    await accessible(page);
    await shot(page, `run-entry-${theme}-${width}`);
    await page.getByRole("combobox", { name: "Level" }).selectOption("error");
    await page.getByText(/^[01] of \d+ entries$/).waitFor();
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByText(/^\d+ entries$/).waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });
});

describe("steering", () => {
  // W6: what is under way shows; what ends something asks once and says what is lost; what cannot be says why.
  test("a run is paused, resumed and cancelled", async () => {
    await shop.gate("slow", "wait never", "exit 0");
    const run = await shop.start();
    const { page, context, complaints } = await signedIn(browser, plane, { theme: "dark" });
    await at(page, run);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: "Resume" }).waitFor();
    await page.getByRole("status").filter({ hasText: "Paused" }).waitFor();
    await accessible(page);
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    const dialog = page.getByRole("dialog", { name: "Cancel this run?" });
    await dialog.getByText(/not judged yet/).waitFor();
    await accessible(page);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect((await plane.call<{ status: string }>("GET", `/runs/${run}`)).status).toBe("running");
    await page.getByRole("button", { name: "Cancel" }).click();
    await dialog.getByRole("button", { name: "Cancel the run" }).click();
    await page.getByRole("status").filter({ hasText: "Cancelled" }).waitFor();
    await shot(page, "run-cancelled-dark-1440");
    // A retry leads to the new run.
    await page.getByRole("button", { name: "Run all again" }).click();
    await page.waitForURL((url) => !url.pathname.endsWith(run));
    expect(complaints).toEqual([]);
    const retried = page.url().split("/").at(-1)?.split("?")[0] ?? "";
    await plane.call("POST", `/runs/${retried}/cancel`);
    await shop.ended(retried);
    await context.close();
  });

  // W6: a refusal is shown with its code, and nothing pretends to have happened.
  test("a refused action says so", async () => {
    await shop.gate("slow", "wait never-again", "exit 0");
    const run = await shop.start();
    const { page, context } = await signedIn(browser, plane);
    await at(page, run);
    await page.route("**/pause", (route) => route.fulfill({ status: 409, contentType: "application/problem+json", body: JSON.stringify({ code: "PH-1009", title: "no", detail: "the run has ended", status: 409 }) }));
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("alert").getByText("PH-1009").waitFor();
    expect(await page.getByRole("button", { name: "Pause" }).count()).toBe(1);
    await plane.call("POST", `/runs/${run}/cancel`);
    await context.close();
  });
});
