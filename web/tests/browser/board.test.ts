import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane } from "./plane";

let plane: Plane;
let browser: Browser;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  await plane.repository("shop", ["unit"]);
  await plane.repository("empty", ["unit"]);
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

interface Issue { id: string; number: number; revision: number; status: string }

const file = (body: Record<string, unknown>): Promise<Issue> => plane.call("POST", "/projects/shop/issues", body);
const read = (issue: Issue): Promise<Issue> => plane.call("GET", `/issues/${issue.id}`);
const column = (page: Page, name: string) => page.getByRole("region", { name, exact: true });

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  // W3, W9, W40, S95
  test.each([390, 1440])("an empty board teaches, a full one shows, at %i px", async (width) => {
    const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
    await page.goto(`${plane.url}/p/empty/board`);
    await page.getByRole("heading", { name: "No issue yet" }).waitFor();
    await accessible(page);
    await fits(page);
    await shot(page, `board-empty-${theme}-${width}`);

    // Tried again, it is another.
    const name = `${theme} ${width} ${crypto.randomUUID().slice(0, 6)}`;
    const epic = await file({ title: `Epic ${name}`, kind: "epic" });
    await file({ title: `Blocked ${name}`, kind: "bug", priority: "urgent", blocked_by: [epic.id], labels: ["ui", "sign-in"], assignee: "ann", execution: "role:implementer" });
    await page.goto(`${plane.url}/p/shop/board`);
    const card = column(page, "Triage").getByRole("listitem").filter({ hasText: `Blocked ${name}` });
    await card.getByText("blocked", { exact: true }).waitFor();
    await card.getByText("role:implementer").waitFor();
    await shot(page, `board-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    await page.getByRole("button", { name: "List" }).click();
    await page.getByRole("table", { name: "Issues of shop" }).getByRole("link", { name: `Blocked ${name}` }).waitFor();
    await accessible(page);
    await fits(page);
    await page.goto(`${plane.url}/p/shop/board?q=nothing-of-this-name`);
    await page.getByRole("heading", { name: "No issue fits" }).waitFor();
    await accessible(page);
    await page.route("**/api/v1/projects/shop/board*", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify({ code: "PH-1014", title: "t", detail: "the store cannot be read", hint: "look", status: 503 }) }));
    await page.goto(`${plane.url}/p/shop/board?q=other`);
    await page.getByText("The board could not be loaded").waitFor();
    await accessible(page);
    expect(complaints).toEqual([]);
    await context.close();
  });
});

// W1, S7: what others do shows without a reload, and what asks for a person filters.
test("the board follows what happens, and shows what asks for a person", async () => {
  const { page, context } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/shop/board`);
  await column(page, "Triage").waitFor();
  await page.getByText("Live").first().waitFor();
  const issue = await file({ title: "Filed by another" });
  const card = (where: string) => column(page, where).getByRole("link", { name: "Filed by another" });
  await card("Triage").waitFor();
  await plane.cli("-p", "shop", "issue", "move", String(issue.number), "ready");
  await card("Ready").waitFor();
  await file({ title: "An epic to plan", kind: "epic" });
  await page.getByRole("group", { name: "Asks for you" }).getByRole("button", { name: "To plan" }).click();
  await page.waitForURL(/attention=plan/);
  await column(page, "Triage").getByRole("link", { name: "An epic to plan" }).waitFor();
  expect(await page.getByRole("link", { name: "Filed by another" }).count()).toBe(0);
  await context.close();
});

// S95, W4: by keyboard alone, with what happens spoken; a refusal puts the card back and says why.
test("a card is moved by keys and by drag, and a stale move is refused in words", async () => {
  const first = await file({ title: "First of two", status: "ready" });
  const second = await file({ title: "Second of two", status: "ready" });
  const { page, context } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/shop/board?q=of two`);
  const link = page.getByRole("link", { name: "Second of two" });
  await link.focus();
  await page.keyboard.press("m");
  const spoken = (words: string) => page.getByRole("status").filter({ hasText: words }).waitFor({ state: "attached" });
  await spoken("Ready, place 2 of 2");
  await page.keyboard.press("ArrowUp");
  await spoken("Ready, place 1 of 2");
  await page.keyboard.press("Enter");
  await spoken(`#${second.number} moved to Ready`);
  const titles = () => column(page, "Ready").getByRole("link").allInnerTexts();
  await expect.poll(titles).toEqual(["Second of two", "First of two"]);
  expect(await link.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.keyboard.press("m");
  await page.keyboard.press("ArrowRight");
  await spoken("In progress, place 1 of 1");
  await page.keyboard.press("Escape");
  await spoken("stays where it was");
  await page.keyboard.press("m");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await spoken(`#${second.number} moved to In progress`);
  await expect.poll(async () => (await read(second)).status).toBe("in_progress");
  await accessible(page);

  await page.getByRole("link", { name: "First of two" }).dragTo(column(page, "Done"));
  await expect.poll(async () => (await read(first)).status).toBe("done");
  await column(page, "Done").getByRole("link", { name: "First of two" }).waitFor();

  // Somebody else was faster: the plane refuses the old revision.
  await page.route(`**/api/v1/issues/${first.id}`, (route) => route.fulfill({ status: 412, contentType: "application/problem+json", body: JSON.stringify({ code: "PH-1006", title: "t", detail: "it has revision 9 now", hint: "read it again", status: 412 }) }));
  await page.getByRole("link", { name: "First of two" }).dragTo(column(page, "Waiting"));
  await page.getByRole("alert").getByText("it has revision 9 now").waitFor();
  await column(page, "Done").getByRole("link", { name: "First of two" }).waitFor();
  await accessible(page);
  await context.close();
});

test("an issue is filed from the board", async () => {
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/empty/board`);
  await page.getByRole("button", { name: "File the first issue" }).click();
  await page.getByLabel("Title").fill("Totals are off by one");
  await page.getByLabel("Kind").last().selectOption("bug");
  await page.getByLabel("Text").fill("Seen in the **cart**.");
  await accessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "File" }).click();
  await page.getByRole("heading", { level: 1, name: "Totals are off by one" }).waitFor();
  expect(page.url()).toMatch(/\/p\/empty\/issues\/1$/);
  expect(complaints).toEqual([]);
  await context.close();
});

// W10, W21: a column of any length keeps to what is in view, comes on by itself, and is walked by keys.
test.each([["light", 1440], ["dark", 390]] as const)("a column of 1,300 issues is scrolled to its end, in the %s theme at %i px", async (theme, width) => {
  const key = `long-${theme}`;
  await plane.repository(key, ["unit"]);
  for (let from = 1; from <= 1_300; from += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, at) => plane.call("POST", `/projects/${key}/issues`, { title: `Piece ${from + at}${at % 7 === 0 ? ", with a title that is long enough to take a second line, or a third" : ""}` })));
  }
  const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
  await page.goto(`${plane.url}/p/${key}/board`);
  const triage = column(page, "Triage");
  await triage.getByRole("heading", { name: /1,300 issues/ }).waitFor();
  const cards = triage.getByRole("listitem");
  await cards.first().waitFor();
  const last = async () => Number(await cards.last().getAttribute("aria-posinset"));
  const wheel = () => cards.last().evaluate((card) => card.scrollIntoView());
  await expect.poll(async () => { await wheel(); return last(); }, { timeout: 60_000, interval: 30 }).toBe(1_300);
  expect(await cards.count()).toBeLessThan(80);
  // The column scrolls beneath its head, not the board.
  if (width > 1_000) expect((await triage.getByRole("heading").boundingBox())?.y).toBeLessThan(200);
  const all = await cards.evaluateAll((some) => some.map((card) => Number(card.getAttribute("aria-posinset"))));
  expect(all).toEqual(Array.from({ length: all.length }, (_, at) => 1_301 - all.length + at));
  await accessible(page);
  await fits(page);
  await shot(page, `board-long-${theme}-${width}`);
  await cards.last().getByRole("link").focus();
  for (let step = 0; step < 60; step += 1) await page.keyboard.press("k");
  expect(await page.evaluate(() => document.activeElement?.closest("li")?.getAttribute("aria-posinset"))).toBe("1240");
  await page.getByRole("button", { name: "List" }).click();
  const table = page.getByRole("table", { name: `Issues of ${key}` });
  await table.getByRole("row").nth(5).waitFor();
  expect(await table.getByRole("row").count()).toBeLessThan(80);
  await accessible(page);
  await fits(page);
  await shot(page, `board-list-${theme}-${width}`);
  expect(complaints).toEqual([]);
  await context.close();
}, 180_000);
