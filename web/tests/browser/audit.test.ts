import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane, type Repository } from "./plane";

let plane: Plane;
let browser: Browser;
let shop: Repository;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  shop = await plane.repository("shop", ["unit"]);
  await shop.capture("Totals add up", "unit");
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

const waive = (reason: string) => plane.call("POST", "/projects/shop/proof/requirements/REQ-0001/waivers", { reason });

// W29: who did what, when and why; as it happens; by what it is about and by its words; in the address.
test.each([["light", 1440], ["dark", 390]] as const)("what was decided is told, searched and opened, in the %s theme at %i px", async (theme, width) => {
  const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
  await page.goto(`${plane.url}/p/shop/audit`);
  const rows = page.getByRole("table", { name: "Audit of shop" });
  await rows.getByText("registered the project").waitFor();
  await accessible(page);
  const why = `the supplier is closed, ${theme}`;
  await waive(why);
  const row = rows.getByRole("button", { name: /waived REQ-0001/ }).first();
  await row.waitFor();
  await waive("hostile <img src=x onerror=window.hit=1> \u202eevil");
  await page.getByRole("combobox", { name: "About" }).selectOption("waiver");
  await expect.poll(() => rows.getByText("registered the project").count()).toBe(0);
  await page.getByRole("searchbox", { name: "Search the audit" }).fill(why);
  await expect.poll(() => rows.getByRole("button").count()).toBe(1);
  await rows.getByRole("button").click();
  const panel = page.getByRole("complementary", { name: /Entry \d+/ });
  await panel.getByText(why).first().waitFor();
  await page.reload();
  await panel.getByText(why).first().waitFor();
  await accessible(page);
  await fits(page);
  await shot(page, `audit-${theme}-${width}`);
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  await page.getByRole("searchbox", { name: "Search the audit" }).fill("nobody said this");
  await page.getByRole("heading", { name: "Nothing is like that" }).waitFor();
  expect(await page.evaluate(() => "hit" in window)).toBe(false);
  expect(complaints).toEqual([]);
  await context.close();
});

const chain = (page: Page) => page.getByRole("region", { name: "Chain" });

/** Chooses from the menu *Export*, and answers the name and the text of the file. */
const exported = async (page: Page, what: RegExp): Promise<[name: string, text: string]> => {
  await page.getByRole("button", { name: "Export" }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("menuitem", { name: what }).click()]);
  return [download.suggestedFilename(), await readFile(await download.path(), "utf8")];
};

// W29, K3: whether the journal is what was written, by whom it was asked, and everything of the project on demand.
test.each([["light", 1440], ["dark", 390], ["dark", 1440]] as const)("the chain is checked, and again, in the %s theme at %i px", async (theme, width) => {
  const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
  await page.goto(`${plane.url}/p/shop/audit`);
  await chain(page).getByText("Chain intact").waitFor();
  await page.locator("[data-live=live]").waitFor();
  // The page asks for all anew when its stream first stands: what comes after that is newer.
  await expect.poll(async () => { await waive(`after the check, ${theme}`); return chain(page).getByText(/, \d+ newer since/).count(); }, { interval: 700, timeout: 10_000 }).toBe(1);
  await chain(page).getByRole("button", { name: "Check again" }).click();
  await expect.poll(() => chain(page).getByText(/newer since/).count()).toBe(0);
  await chain(page).getByRole("button", { name: "Verify the whole project" }).click();
  await chain(page).getByText("All as stored").waitFor();
  await chain(page).getByText(/ entries in \d+ journals, /).waitFor();
  await accessible(page);
  await fits(page);
  await shot(page, `audit-chain-${theme}-${width}`);

  // Damage is said where it is, and that a check failed is not taken for sound.
  const now = new Date().toISOString();
  await page.route("**/audit/chain", (route) => route.fulfill({ json: { intact: false, entries: 4, floor: 1, head: 9, digest: null, checked_at: now, damage: { seq: 4, what: "one of the last 2 entries was changed" } } }));
  await page.route("**/api/v1/verify?*", (route) => route.fulfill({ json: { streams: 2, entries: 9, evidence: 0, blobs: 0, damage: [{ kind: "stream", stream: "audit:1", seq: 4, what: "one of the last 2 entries was changed" }, { kind: "pages", what: "page 7 is torn" }] } }));
  await chain(page).getByRole("button", { name: "Check again" }).click();
  await chain(page).getByRole("alert").getByText("Chain broken").waitFor();
  await chain(page).getByRole("button", { name: "Verify the whole project" }).click();
  await chain(page).getByText("2 damaged").waitFor();
  await chain(page).getByText("page 7 is torn").waitFor();
  await accessible(page);
  await fits(page);
  await shot(page, `audit-broken-${theme}-${width}`);
  const refused = { status: 429, contentType: "application/problem+json", body: JSON.stringify({ code: "PH-1012", title: "t", detail: "another check is going on", hint: "wait until it is done", status: 429 }) };
  await page.unroute("**/api/v1/verify?*");
  await page.route("**/api/v1/verify?*", (route) => route.fulfill(refused));
  await chain(page).getByRole("button", { name: "Verify the whole project" }).click();
  await chain(page).getByText(/another check is going on/).waitFor();
  await accessible(page);
  expect(complaints).toEqual([]);
  await context.close();
});

// W29, X47: what the filter shows is taken along; what people wrote computes nothing in a spreadsheet.
test("what is found is exported, as lines and as a table", async () => {
  const { page, context, complaints } = await signedIn(browser, plane);
  await waive("=1+1, exactly");
  await page.goto(`${plane.url}/p/shop/audit`);
  const [name, lines] = await exported(page, /Everything, as JSON lines/);
  expect(name).toBe("audit-shop.jsonl");
  const entries = await plane.call<{ items: { seq: number }[] }>("GET", "/projects/shop/audit/entries?limit=1000");
  expect(lines.trimEnd().split("\n").map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(entries.items.map(({ seq }) => seq));
  await page.getByRole("combobox", { name: "About" }).selectOption("waiver");
  await page.getByRole("searchbox", { name: "Search the audit" }).fill("exactly");
  await expect.poll(() => page.getByRole("table", { name: "Audit of shop" }).getByRole("button").count()).toBe(1);
  const [table, cells] = await exported(page, /What is found, as a table/);
  expect(table).toBe("audit-shop-filtered.csv");
  expect(cells.trimEnd().split("\n")).toEqual(["number,at,who,what,about,why,kind", expect.stringMatching(/^\d+,[^,]+,[^,]+,waived,REQ-0001,"'=1\+1, exactly",waiver\.granted$/)]);
  const [, found] = await exported(page, /What is found, as JSON lines/);
  expect(found.trimEnd().split("\n")).toHaveLength(1);
  await page.route("**/audit/journal.jsonl", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify({ code: "PH-1014", title: "t", detail: "the store cannot be read", hint: "", status: 503 }) }));
  await page.getByRole("button", { name: "Export" }).click();
  await page.getByRole("menuitem", { name: /as a table/ }).click();
  await page.getByRole("alert").getByText(/Not exported: the store cannot be read/).waitFor();
  await accessible(page);
  expect(complaints).toEqual([]);
  await context.close();
});
