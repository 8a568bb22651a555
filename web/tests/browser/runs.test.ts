import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane, type Repository } from "./plane";

let plane: Plane;
let browser: Browser;
let shop: Repository;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  shop = await plane.repository("shop", ["unit", "slow", "types"]);
  await shop.capture("Totals add up", "unit", "slow");
  await shop.capture("Types fit", "types", "unit");
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  // W9, W40: as narrow as a phone and as wide as a wall.
  test.each([390, 1440, 2560])("runs, a run and home at %i px", async (width) => {
    await shop.gate("slow", "say started", `wait go-${theme}-${width}`, "exit 1");
    const run = await shop.start();
    const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
    await page.goto(`${plane.url}/p/shop/runs`);
    const row = page.getByRole("row").filter({ has: page.getByRole("link", { name: run.slice(-8) }) });
    await row.getByText("Running").waitFor();
    await shot(page, `runs-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    // W1: it changes as it happens.
    await row.getByText("2/3").waitFor();

    await row.getByRole("link").click();
    await page.getByRole("heading", { name: "Proof run" }).waitFor();
    // On a phone what runs is followed into its details, elsewhere it stands beside them.
    await page.getByText("./gate slow").filter({ visible: true }).first().waitFor();
    await shot(page, `run-${theme}-${width}`);
    await accessible(page);
    await fits(page);

    await shop.let(`go-${theme}-${width}`);
    await page.getByRole("button", { name: "Retry what did not pass" }).waitFor();
    expect(await page.getByRole("status").filter({ hasText: "Failed" }).count()).toBe(1);
    await shot(page, `run-ended-${theme}-${width}`);
    await accessible(page);

    await page.goto(plane.url);
    await page.getByRole("heading", { name: "Ended today" }).waitFor();
    await page.getByRole("link", { name: run.slice(-8) }).first().waitFor();
    await shot(page, `home-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    expect(complaints).toEqual([]);
    await context.close();
  });
});
