import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, listen, openBrowser, shot, signedIn } from "./browser";
import { Plane, type Repository } from "./plane";

let plane: Plane;
let browser: Browser;
let shop: Repository;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  shop = await plane.repository("shop", ["unit", "slow"]);
  await shop.capture("Totals add up", "unit", "slow");
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

/** How many live streams the server holds. */
async function streams(): Promise<number> {
  const response = await fetch(`${plane.url}/metrics`, { headers: { authorization: `Bearer ${await plane.token()}` } });
  return Number(/^proofhouse_streams_open(?:\{[^}]*\})? (\d+)/m.exec(await response.text())?.[1] ?? NaN);
}

/** A browser without shared workers: each tab has a connection of its own, which a test can hold back. */
async function alone(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => Reflect.deleteProperty(globalThis, "SharedWorker"));
}

// X61: HTTP/1.1 gives a browser six connections to a host; ten tabs share one, and each is alive.
test("ten tabs live on one connection", async () => {
  await shop.gate("slow", "wait ten", "exit 0");
  const run = await shop.start();
  const { page: first, context } = await signedIn(browser, plane);
  const pages = [first];
  while (pages.length < 10) pages.push(await context.newPage());
  for (const page of pages) await page.goto(`${plane.url}/p/shop/runs/${run}`);
  for (const page of pages) await page.locator("[data-live=live]").waitFor();
  expect(await streams()).toBe(1);
  await shop.let("ten");
  for (const page of pages) await page.getByRole("button", { name: "Run all again" }).waitFor();
  // A tab that goes leaves the others alive; the last one takes the connection with it.
  for (const page of pages.slice(1)) await page.close();
  await first.locator("[data-live=live]").waitFor();
  await context.close();
  await expect.poll(streams, { timeout: 15_000 }).toBe(0);
});

// W1: where streams are held back, the page asks every five seconds, and says so.
test("where streams are held back, it goes on by asking", async () => {
  await shop.gate("slow", "wait held", "exit 1");
  const run = await shop.start();
  const { page, context } = await signedIn(browser, plane);
  await alone(context);
  await page.route("**/api/v1/events?*", () => undefined);
  await page.goto(`${plane.url}/p/shop/runs/${run}`);
  await page.locator("[data-live=polling]").getByText("Every 5 s").waitFor({ timeout: 20_000 });
  await page.getByRole("button", { name: "./gate slow" }).waitFor();
  await accessible(page);
  await shot(page, "polling-1440");
  await shop.let("held");
  await page.getByRole("status").filter({ hasText: "Failed" }).waitFor({ timeout: 20_000 });
  await context.close();
});

// X49: after a minute the quiet mark becomes a banner, with its cause and a button.
test("after a minute without a server there is a banner, and it goes when the server is back", async () => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await alone(context);
  const page = await context.newPage();
  await page.clock.install();
  const complaints = listen(page);
  await page.goto(await plane.signInLink());
  await page.waitForURL(`${plane.url}/`);
  await page.locator("[data-live=live]").waitFor();
  await plane.down("SIGKILL");
  await page.locator("[data-live=reconnecting]").waitFor();
  expect(await page.getByRole("button", { name: "Reconnect" }).count()).toBe(0);
  await page.clock.fastForward(61_000);
  await page.getByRole("alert").getByText(/No connection since/).waitFor();
  await accessible(page);
  await shot(page, "lost-banner-1440");
  await plane.up();
  await page.getByRole("button", { name: "Reconnect" }).click();
  await page.locator("[data-live=live]").waitFor();
  expect(await page.getByRole("alert").count()).toBe(0);
  expect(complaints).toEqual([]);
  await context.close();
});

// W7: all times are by the server's clock: a machine whose own is an hour off sees the same.
test.each([["ahead", 3_600_000], ["behind", -3_600_000]] as const)("a clock that is an hour %s changes no duration", async (_, off) => {
  await shop.gate("slow", `wait clock-${off}`, "exit 0");
  const run = await shop.start();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await context.addInitScript((by) => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + by;
  }, off);
  const page = await context.newPage();
  await page.goto(await plane.signInLink());
  await page.waitForURL(`${plane.url}/`);
  await page.goto(`${plane.url}/p/shop/runs/${run}`);
  await page.getByRole("button", { name: "./gate slow" }).waitFor();
  const elapsed = page.locator("dl > div").filter({ hasText: "Elapsed" });
  await elapsed.getByText(/^\d+ s$/).waitFor();
  await page.getByText(/Started(just now|\d+ s ago)/).waitFor();
  await shop.let(`clock-${off}`);
  await shop.ended(run);
  await context.close();
});
