import { rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane, type Repository } from "./plane";

let plane: Plane;
let browser: Browser;
let shop: Repository;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  shop = await plane.repository("shop", ["unit", "e2e"]);
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

// W30, W40: each part, in both themes.
test.each([["light", 1440], ["dark", 390], ["light", 2560]] as const)("every part in the %s theme at %i px", async (theme, width) => {
  const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
  await page.goto(`${plane.url}/p/shop/settings`);
  for (const part of ["Project", "Gates", "Proof", "Policy", "Budgets", "Agents", "Tokens", "Notifications", "Appearance"]) {
    await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: part }).click();
    await page.getByRole("heading", { name: part, level: 1 }).waitFor();
    await page.getByRole("status", { name: /^Loading/ }).waitFor({ state: "detached" });
    await accessible(page);
    await fits(page);
    await shot(page, `settings-${part.toLowerCase()}-${theme}-${width}`);
  }
  expect(complaints).toEqual([]);
  await context.close();
});

// What is wrong stands at its line; what somebody else saved is not overwritten.
test("the policy is edited as JSON, and refused at its pointers", async () => {
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/shop/settings?tab=policy`);
  const editor = page.getByRole("textbox", { name: "Policy as JSON" });
  await editor.waitFor();
  const good = JSON.parse(await editor.inputValue()) as Record<string, unknown>;
  await editor.fill("{ \"commands\": ");
  await page.getByText(/^Not JSON yet/).waitFor();
  await editor.fill(JSON.stringify({ ...good, network: "sometimes" }, null, 2));
  await page.getByRole("button", { name: "Save" }).click();
  const error = page.getByRole("button", { name: /^\/network, line \d+$/ });
  await error.waitFor();
  await accessible(page);
  await shot(page, "settings-policy-refused-1440");
  await error.click();
  expect(await editor.evaluate((area: HTMLTextAreaElement) => area.value.slice(area.selectionStart, area.selectionEnd))).toBe('"sometimes"');
  // Somebody else saves meanwhile: it is told, and what was typed stays until one says otherwise (W30).
  const mine = JSON.stringify({ ...good, network: "off" }, null, 2);
  await editor.fill(mine);
  const file = path.join(plane.root, "policy.json");
  await writeFile(file, JSON.stringify({ ...good, network: "on" }));
  await plane.cli("-p", "shop", "project", "policy", "--edit", file);
  await page.getByText("Somebody else has saved it while you were writing.").waitFor();
  expect(await editor.inputValue()).toBe(mine);
  await accessible(page);
  await shot(page, "settings-policy-meanwhile-1440");
  expect(await page.getByRole("button", { name: "Save" }).getAttribute("aria-disabled")).toBe("true");
  await page.getByRole("button", { name: "Load theirs" }).click();
  await page.getByText(/^Revision \d+/).waitFor();
  await expect.poll(async () => (JSON.parse(await editor.inputValue()) as { network: string }).network).toBe("on");
  // Now it stands on theirs and can be saved.
  await editor.fill(mine);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved", { exact: true }).waitFor();
  expect((await plane.call<{ body: { network: string } }>("GET", "/projects/shop/settings/policy")).body.network).toBe("off");
  expect(complaints).toEqual([]);
  await context.close();
});

// W30, X28, L79: each amount is inherited, so much, nothing, or no cap; what makes no sense is refused at its field.
test("budgets are set in dollars, and refused at their fields", async () => {
  const { page, context, complaints } = await signedIn(browser, plane, { width: 390 });
  await page.goto(`${plane.url}/p/shop/settings?tab=budgets`);
  const choose = (label: string, choice: string) => page.getByRole("combobox", { name: label }).selectOption({ label: choice });
  await page.getByRole("combobox", { name: "A run may spend" }).getByText("What the plane says: $5.00").waitFor({ state: "attached" });
  expect(await page.getByRole("combobox", { name: "One answer may add" }).getByText("No cap").count()).toBe(0);
  await choose("A run may spend", "An amount");
  const amount = page.getByRole("textbox", { name: "A run may spend, in dollars" });
  await amount.fill("five");
  await page.getByText("Write dollars, such as 2.50").waitFor();
  expect(await page.getByRole("button", { name: "Save" }).getAttribute("aria-disabled")).toBe("true");
  await amount.fill("20000");
  await page.getByText("At most $10,000.00").waitFor();
  await amount.fill("$2.50");
  await choose("A day may cost", "No cap");
  await choose("One answer may add", "Nothing");
  const refusal = { code: "PH-4018", title: "a budget is not written right", detail: "no", status: 422, errors: [{ pointer: "/run_micro_usd", message: "is more than the plane lends" }] };
  await page.route("**/settings/budget", (route) => (route.request().method() === "PUT" ? route.fulfill({ status: 422, contentType: "application/problem+json", body: JSON.stringify(refusal) }) : route.fallback()));
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("is more than the plane lends").waitFor();
  await page.unroute("**/settings/budget");
  expect(await amount.getAttribute("aria-invalid")).toBe("true");
  await accessible(page);
  await fits(page);
  await shot(page, "settings-budgets-refused-light-390");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved", { exact: true }).waitFor();
  const saved = () => plane.call<{ body: unknown; revision: number }>("GET", "/projects/shop/settings/budget");
  expect(await saved()).toMatchObject({ revision: 1, body: { run_micro_usd: 2_500_000, day_micro_usd: "none", max_top_up_micro_usd: 0 } });
  expect(await amount.inputValue()).toBe("2.50");
  // Somebody else saves in the very moment: theirs stays, and is taken when one says so.
  await page.route("**/settings/budget", (route) => (route.request().method() === "GET" ? route.abort() : route.fallback()));
  await plane.settings("shop", "budget", { run_micro_usd: 7_000_000 });
  await amount.fill("3");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Somebody else saved since this was read").waitFor();
  expect(await saved()).toMatchObject({ revision: 2, body: { run_micro_usd: 7_000_000 } });
  await page.unroute("**/settings/budget");
  await page.getByRole("button", { name: "Load theirs" }).click();
  await expect.poll(() => amount.inputValue()).toBe("7.00");
  await choose("A run may spend", "What the plane says: $5.00");
  await page.getByRole("button", { name: "Save" }).click();
  await expect.poll(async () => (await saved()).body).toEqual({});
  expect(complaints).toEqual([]);
  await context.close();
});

test("gates are switched, and what is odd is warned about", async () => {
  const { page, context } = await signedIn(browser, plane, { theme: "dark" });
  await page.goto(`${plane.url}/p/shop/settings?tab=proof`);
  await page.getByRole("checkbox", { name: /^perf/ }).uncheck();
  await page.getByLabel("When it is not clear").selectOption("it only warns");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("the merge gate only warns").waitFor();
  await accessible(page);
  expect(await page.getByRole("checkbox", { name: /^perf/ }).isChecked()).toBe(false);
  expect(await page.getByRole("button", { name: "Save" }).count()).toBe(0);
  await page.getByLabel("Runs at once").fill("3");
  await page.getByRole("button", { name: "Discard" }).click();
  expect(await page.getByLabel("Runs at once").inputValue()).toBe("1");
  await context.close();
});

// A branch changes the gate that judges it: what it shows does not count until an admin accepts it (P60).
test("a changed definition is accepted with a reason", async () => {
  await writeFile(path.join(shop.folder, "proofhouse.toml"), `[proof.gates.unit]\nrunner = "command"\nargv = ["./gate", "unit", "--weaker"]\n`);
  const { page, context } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/shop/settings?tab=gates`);
  await page.getByText(/not accepted/).waitFor();
  await accessible(page);
  await shot(page, "settings-gates-changed-1440");
  await page.getByRole("button", { name: "Accept", exact: true }).first().click();
  const dialog = page.getByRole("dialog", { name: "Accept unit?" });
  await dialog.getByLabel("Reason").fill("It skips what the other gate shows");
  await dialog.getByRole("button", { name: "Accept" }).click();
  await dialog.waitFor({ state: "detached" });
  await context.close();
});

// S100: which agents are where and how, whether providers have their keys, what models cost; a check that costs nothing.
test.each([["light", 1440], ["dark", 390]] as const)("agents and providers in the %s theme at %i px", async (theme, width) => {
  const models = createServer((request, response) => {
    const isKnown = request.headers["x-api-key"] === "planted-key-value";
    response.writeHead(isKnown ? 200 : 401, { "content-type": "application/json" });
    response.end(JSON.stringify(isKnown ? { data: [{ id: "small-1", type: "model", display_name: "Small", created_at: "2026-01-01T00:00:00Z" }], has_more: false } : { error: {} }));
  });
  await new Promise<void>((listening) => models.listen(0, "127.0.0.1", listening));
  const address = models.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const data = path.join(plane.root, "data");
  const key = path.join(data, "key");
  await writeFile(key, "planted-key-value\n", { mode: 0o600 });
  await writeFile(path.join(data, "providers.toml"), `[providers.mine]\nkind = "anthropic"\nbase_url = "http://127.0.0.1:${address.port}/v1"\nkey_file = "${key}"\ndefault_model = "small-1"\n[[prices]]\nmodel = "mine/"\ninput = "0.5"\noutput = "2"\n`, { mode: 0o600 });
  const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
  await page.goto(`${plane.url}/p/shop/settings?tab=agents`);
  await page.getByRole("heading", { name: "scripted", level: 2 }).waitFor();
  await page.getByText("The builtin agent asks mine/small-1 where none is named.").waitFor();
  const mine = page.getByRole("list", { name: "Providers" }).getByRole("listitem").filter({ has: page.getByRole("heading", { name: "mine" }) });
  await mine.getByText(`key from ${key}`).waitFor();
  await mine.getByRole("button", { name: "Check mine" }).click();
  await mine.getByText("It answers and takes the key: 1 model").waitFor();
  await page.getByText(/^Prices of \d+ models, as of \d{4}-\d\d-\d\d$/).click();
  await page.getByRole("row").filter({ hasText: "mine/" }).getByText("$0.50", { exact: true }).first().waitFor();
  await accessible(page);
  await fits(page);
  await shot(page, `settings-agents-checked-${theme}-${width}`);
  expect(await page.content()).not.toContain("planted-key-value");
  // What stands wrong in the file is said, and nothing else of the page is lost.
  await writeFile(path.join(data, "providers.toml"), "[providers.mine]\nkind = \"magic\"\n");
  await page.reload();
  await page.getByText("The providers could not be loaded").waitFor();
  await page.getByRole("heading", { name: "scripted", level: 2 }).waitFor();
  await accessible(page);
  expect(complaints.filter((complaint) => !complaint.includes("422"))).toEqual([]);
  await rm(path.join(data, "providers.toml"));
  await context.close();
  models.close();
});

test("a token is made, shown once and revoked", async () => {
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/shop/settings?tab=tokens`);
  await page.getByRole("button", { name: "New token" }).click();
  const dialog = page.getByRole("dialog", { name: "New token" });
  await dialog.getByLabel("Name").fill("CI of the shop");
  await accessible(page);
  await dialog.getByRole("button", { name: "Make it" }).click();
  const once = page.getByRole("dialog", { name: "The token, this once" });
  const secret = await once.getByLabel("Token", { exact: true }).innerText();
  expect(secret).toMatch(/^pht_/);
  const ask = () => fetch(`${plane.url}/api/v1/projects/shop/proof/check`, { headers: { authorization: `Bearer ${secret}` } });
  expect((await ask()).status).toBe(200);
  await accessible(page);
  await once.getByRole("button", { name: "I have kept it" }).click();
  expect(await page.getByText(secret).count()).toBe(0);
  await page.getByRole("button", { name: "Revoke CI of the shop" }).click();
  await accessible(page);
  await page.getByRole("dialog", { name: "Revoke CI of the shop?" }).getByRole("button", { name: "Revoke it" }).click();
  await page.getByRole("button", { name: /^Show \d+ revoked$/ }).waitFor();
  expect((await ask()).status).toBe(401);
  expect(complaints).toEqual([]);
  await context.close();
});
