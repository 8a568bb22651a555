import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane } from "./plane";

let plane: Plane;
let browser: Browser;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

// The first visit leads to the first proven requirement in under a minute, without docs.
test.each([["light", 1440], ["dark", 390]] as const)("from nothing to the first proof, in the %s theme at %i px", async (theme, width) => {
  const key = `fresh-${theme}`;
  await plane.repository(key, ["unit"], { policy: false });
  const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
  const began = Date.now();
  await page.goto(`${plane.url}/p/${key}/proof`);
  await page.getByRole("heading", { name: "Prove the first requirement" }).waitFor();
  // P77: the surfaces of runs are there without any requirement.
  await page.getByRole("link", { name: "Merge gate" }).waitFor();
  await page.getByRole("button", { name: "Allow these" }).waitFor();
  await shot(page, `proof-first-${theme}-${width}`);
  await accessible(page);
  await fits(page);
  // W6: what cannot be done yet says why.
  await page.getByRole("button", { name: "Capture and run" }).hover();
  await page.getByRole("tooltip").getByText("First let its commands run").waitFor();
  await page.getByRole("button", { name: "Allow these" }).click();
  await page.getByText("What gates may run is decided").waitFor();
  await page.getByRole("button", { name: "Capture and run" }).click();
  await page.getByRole("row").filter({ hasText: "The test suite passes" }).getByText("Satisfied").waitFor();
  await page.getByRole("link", { name: /Merge gate.*Clear/ }).waitFor();
  expect(Date.now() - began).toBeLessThan(60_000);
  await shot(page, `proof-first-done-${theme}-${width}`);
  await accessible(page);
  await fits(page);
  expect(complaints).toEqual([]);
  await context.close();
});
