import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessible, fits, listen, openBrowser, shot, signedIn } from "./browser";
import { Plane, type Repository } from "./plane";

let plane: Plane;
let browser: Browser;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

describe("signing in", () => {
  test("a person without a session gets to the sign-in page, and back to where they wanted", async () => {
    const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
    const page = await context.newPage();
    const complaints = listen(page);
    await page.goto(`${plane.url}/p/none/runs?status=failed`);
    await page.getByRole("heading", { name: "Sign in to Proofhouse" }).waitFor();
    await shot(page, "sign-in-390");
    await accessible(page);
    await fits(page);
    await page.getByLabel("Token").fill(`pht_${"0".repeat(64)}`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("PH-1004").waitFor();
    await accessible(page);
    await page.getByLabel("Token").fill(await plane.token());
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(/\/p\/none\/runs\?status=/);
    // There is no such project: it says so with its code, and a retry.
    await page.getByRole("alert").getByText("PH-1003").waitFor();
    await accessible(page);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test("a link that was used says so", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const link = await plane.signInLink();
    await page.goto(link);
    await page.waitForURL(`${plane.url}/`);
    await page.getByRole("heading", { name: "No project yet" }).waitFor();
    await shot(page, "home-empty-1440");
    await accessible(page);
    await context.clearCookies();
    await page.goto(link);
    await page.getByRole("alert").getByText("PH-1004").waitFor();
    await accessible(page);
    await context.close();
  });

  // Whoever signs out elsewhere is signed out here, and the page says so by itself.
  test("a session that ends while the page is open leads to the sign-in page", async () => {
    const { page, context } = await signedIn(browser, plane);
    await page.locator("[data-live=live], [data-live=idle]").waitFor();
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in to Proofhouse" }).waitFor();
    await page.goto(plane.url);
    await page.getByRole("heading", { name: "Sign in to Proofhouse" }).waitFor();
    await context.close();
  });
});

describe("with a project", () => {
  let shop: Repository;
  beforeAll(async () => {
    shop = await plane.repository("shop", ["unit", "slow"]);
  });

  test("runs teach how to start the first one", async () => {
    const { page, context } = await signedIn(browser, plane, { theme: "dark" });
    await page.goto(`${plane.url}/p/shop/runs`);
    await page.getByRole("heading", { name: "No run yet" }).waitFor();
    await accessible(page);
    await shot(page, "runs-empty-dark-1440");
    await context.close();
  });

  // W4: everything by keyboard.
  test("keys and the palette lead everywhere, and Escape leads back", async () => {
    const { page, context, complaints } = await signedIn(browser, plane);
    await page.getByRole("heading", { name: "Runs now" }).waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("r");
    await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Shortcuts" }).waitFor();
    await accessible(page);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search or go to" }).waitFor();
    await accessible(page);
    await page.keyboard.type("dark th");
    await shot(page, "palette-1440");
    await page.keyboard.press("Enter");
    await page.locator("html[data-theme=dark]").waitFor({ state: "attached" });
    await page.getByRole("button", { name: "Inbox" }).click();
    await page.getByRole("heading", { name: "Nothing is asked" }).waitFor();
    await accessible(page);
    await page.keyboard.press("Escape");
    // Focus is where it came from.
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toMatch(/^Inbox/);
    await page.keyboard.press("/");
    await page.keyboard.type("home");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${plane.url}/`);
    expect(complaints).toEqual([]);
    await context.close();
  });

  // W1, X48: a question shows while other gates run; the answer lets the run go on.
  test("a question reaches the inbox by itself, and its answer ends the run", async () => {
    await shop.capture("Totals add up", "unit", "slow");
    await shop.captureReview("It looks right");
    await shop.gate("slow", "wait review-done");
    const { page, context } = await signedIn(browser, plane, { width: 390 });
    await page.getByRole("button", { name: "Inbox: nothing is asked" }).waitFor();
    await page.locator("[data-live=live]").waitFor();
    const run = await shop.start();
    await page.getByRole("button", { name: "Inbox: 1 open question" }).click();
    const dialog = page.getByRole("dialog", { name: "Inbox" });
    await dialog.getByText("REQ-0002/manual", { exact: true }).waitFor();
    await accessible(page);
    await shot(page, "inbox-390");
    await dialog.getByRole("button", { name: "Accept" }).click();
    await dialog.getByRole("heading", { name: "Nothing is asked" }).waitFor();
    await shop.let("review-done");
    expect(await shop.ended(run)).toMatchObject({ status: "completed", verdict: "passed" });
    await context.close();
  });

  // W4: what the plane knows is found by its words; Enter before the first hit is kept, and done when there is one.
  test("the palette finds issues and requirements, also for who is quicker than the plane", async () => {
    await plane.call("POST", "/projects/shop/issues", { title: "Zebra crossing" });
    await shop.capture("Quaggas graze", "unit");
    const { page, context, complaints } = await signedIn(browser, plane);
    await page.goto(`${plane.url}/p/shop/runs`);
    await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
    const ask = async (words: string) => {
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox", { name: "Search or go to" }).fill(words);
    };
    await ask("quagga");
    await page.getByRole("option", { name: /REQ-0003 Quaggas graze/ }).waitFor();
    await accessible(page);
    await shot(page, "palette-found-1440");
    await page.keyboard.press("Enter");
    await page.waitForURL(/proof\/REQ-0003/);
    await page.route("**/projects/shop/issues?*", async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 800));
      await route.continue();
    });
    await ask("zebra");
    await page.keyboard.press("Enter");
    await page.getByText("Looking…").waitFor();
    await page.getByRole("heading", { level: 1, name: "#1 Zebra crossing" }).waitFor();
    await ask("no such beast");
    await page.keyboard.press("Enter");
    await page.getByText("Nothing is called “no such beast”").first().waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });

  // W41, F6: the server dies and comes back during a run: every entry is in the page, once.
  test("a server that is killed and comes back costs no entry", async () => {
    await shop.gate("slow", "say a", "wait back-again", "exit 1");
    const run = await shop.start({ manual: "skip" });
    const { page, context } = await signedIn(browser, plane);
    await page.goto(`${plane.url}/p/shop/runs/${run}`);
    await page.getByRole("button", { name: "./gate slow" }).waitFor();
    await page.locator("[data-live=live]").waitFor();
    await plane.down("SIGKILL");
    const mark = page.locator("[data-live=reconnecting]");
    await mark.getByText(/Reconnecting, last seen \d+ s ago/).waitFor();
    // What was there stays, and nothing moves.
    expect(await page.getByRole("button", { name: "./gate slow" }).count()).toBe(1);
    await accessible(page);
    await shot(page, "reconnecting-1440");
    await plane.up();
    await page.locator("[data-live=live]").waitFor();
    await shop.let("back-again");
    const { verdict } = await shop.ended(run, 90_000);
    await page.getByRole("status").filter({ hasText: verdict === "failed" ? "Failed" : "Unproven" }).waitFor();
    const { head } = await plane.call<{ head: number }>("GET", `/runs/${run}/entries?limit=1`);
    await page.locator(`[data-entries="${head}"]`).waitFor({ state: "attached" });
    await context.close();
  }, 120_000);
});
