import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane, type Repository } from "./plane";

const run = promisify(execFile);
let plane: Plane;
let browser: Browser;

/** An agent that says what it cost, or keeps silent, and waits for a file where its issue says so. */
const AGENT = `#!/bin/sh
[ "$1" = --version ] && { echo 1.0; exit 0; }
cat > "$TMPDIR/prompt"
if grep -q "Wait for" "$TMPDIR/prompt"; then
  n=0; while [ ! -e "$0.go" ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n+1)); done
fi
echo made > made
grep -q Silent "$TMPDIR/prompt" && { echo "I say nothing"; exit 0; }
printf '{"usage":{"input_tokens":1200,"output_tokens":34},"total_cost_usd":0.05,"result":"I did what was asked."}\\n'
`;

const ROLE = `---
id: spender
title: spender
version: 1.0.0
category: role
use_case: for tests of the page
timeout_s: 120
output: worktree
intent: implement
---
{{issue.title}}
`;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  await plane.declare("mine=command", AGENT);
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

/** A project of its own for each test: what is spent and added on a day stays for that day. */
const project = async (key: string, budget: Record<string, unknown>): Promise<Repository> => {
  const made = await plane.repository(key, ["unit"], { policy: false });
  await mkdir(path.join(made.folder, ".proofhouse/roles"), { recursive: true });
  await writeFile(path.join(made.folder, ".proofhouse/roles/spender.md"), ROLE);
  for (const args of [["add", "-A"], ["commit", "-qm", "roles"]]) await run("git", args, { cwd: made.folder });
  await allow(made);
  await plane.settings(key, "budget", budget);
  return made;
};
const allow = ({ key }: Repository, more: Record<string, unknown> = {}) => plane.settings(key, "policy", { allowed_paths: { "*": ["."] }, agents: ["mine"], ...more });

interface Handed { issue: { id: string; number: number }; run: string }

const handOut = async ({ key }: Repository, title: string): Promise<Handed> => {
  const issue = await plane.call<Handed["issue"]>("POST", `/projects/${key}/issues`, { title, status: "ready" });
  const { run } = await plane.call<{ run: string }>("POST", `/projects/${key}/runs`, { kind: "dispatch", issue: issue.id, config: { role: "spender", agent: "mine" } });
  return { issue, run };
};

/** A run that a used-up budget parks. */
const parked = async (repository: Repository, title: string): Promise<Handed> => {
  const handed = await handOut(repository, title);
  await expect.poll(async () => (await plane.call<{ items: { run: string }[] }>("GET", "/questions?state=open")).items.some((one) => one.run === handed.run), { timeout: 30_000 }).toBe(true);
  return handed;
};

interface Pool { pool: string; topped_up_micro_usd: number; spent_micro_usd: number; left_micro_usd: number | null }

const pools = async (id: string): Promise<Record<string, Pool>> => {
  const { pools } = await plane.call<{ pools: Pool[] }>("GET", `/runs/${id}/ledger`);
  return Object.fromEntries(pools.map((pool) => [pool.pool, pool]));
};

const USED_UP = "The run has used up its budget";
const card = (page: Page) => page.getByRole("article", { name: USED_UP });
const today = (page: Page, key: string) => page.getByRole("region", { name: "Spent today" }).getByRole("listitem").filter({ hasText: key });

// W20, X2, W7: the day's spend against the cap, live; what nobody knows is no sum.
test("home shows what the day has cost, as it is spent", async () => {
  const shop = await project("shop", {});
  const { page, context, complaints } = await signedIn(browser, plane);
  await today(page, "shop").getByText("$0 spent").waitFor();
  await today(page, "shop").getByText("of $10.00").waitFor();
  await shop.ended((await handOut(shop, "Priced")).run);
  await today(page, "shop").getByText("$0.05 spent").waitFor();
  await shop.ended((await handOut(shop, "Silent")).run);
  await today(page, "shop").getByText("$0.05 and unknown (held $1.00) spent").waitFor();
  const bar = today(page, "shop").getByRole("progressbar", { name: "Budget of shop today" });
  expect(await bar.getAttribute("aria-valuenow")).toBe("1050000");
  expect(await bar.getAttribute("aria-valuetext")).toBe("$0.05 and unknown (held $1.00) spent of $10.00; $8.95 left");
  await today(page, "shop").getByRole("link", { name: "Budgets of shop" }).click();
  await page.getByRole("heading", { name: "Budgets", level: 1 }).waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  // W20, W23, L90, W9, W40: parked on home, topped up there with the day's share, and gone on.
  test.each([390, 1440])("a parked run is topped up from home and its lines are looked at, at %i px", async (width) => {
    const key = `${theme}-${width}`;
    const shop = await project(key, { run_micro_usd: 0, day_micro_usd: 200_000 });
    const asked = await parked(shop, "Priced");
    const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
    await card(page).getByText("$1.00 is needed to go on").waitFor();
    await card(page).getByText("The day has $0.20 left.").waitFor();
    // The day is short of it: what is missing there is offered as well.
    const ofDay = card(page).getByRole("textbox", { name: "And to the day (UTC)" });
    expect(await ofDay.inputValue()).toBe("0.80");
    await shot(page, `home-budget-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    await card(page).getByRole("textbox", { name: "Add to the run" }).fill("0.10");
    await ofDay.waitFor({ state: "detached" });
    await card(page).getByText("Less than the $1.00 that is missing").waitFor();
    await card(page).getByRole("textbox", { name: "Add to the run" }).fill("0.50");
    await card(page).getByRole("textbox", { name: "Reason" }).fill("worth it");
    await card(page).getByRole("button", { name: "Top up by $0.50 and go on" }).click();
    await card(page).waitFor({ state: "detached" });
    expect((await shop.ended(asked.run)).status).toBe("completed");
    expect(await pools(asked.run)).toMatchObject({ run: { topped_up_micro_usd: 500_000, spent_micro_usd: 50_000 } });
    await today(page, key).getByText("$0.05 spent").waitFor();
    await shot(page, `home-spend-${theme}-${width}`);
    await page.goto(`${plane.url}/p/${key}/runs/${asked.run}`);
    await page.getByRole("progressbar", { name: "Budget of the run" }).waitFor();
    await shot(page, `run-budget-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    await page.getByRole("link", { name: width === 390 ? "Ledger" : "Lines" }).click();
    await page.waitForURL(/view=ledger/);
    const lines = page.getByRole("table", { name: "Ledger of the run: 2 lines" });
    await lines.getByText("Reserved").waitFor();
    await lines.getByText("reported").waitFor();
    await page.getByText("$0.50 of the cap was topped up").waitFor();
    await shot(page, `run-ledger-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "CSV" }).click()]);
    const file = (await readFile(await download.path(), "utf8")).trim().split("\r\n");
    expect([file.length, file[0]?.startsWith("number,at,day,run"), file[2]?.includes(",settle,0.05,reported,")]).toEqual([3, true, true]);
    expect(complaints).toEqual([]);
    await context.close();
  });
});

// W23, W1: the run's bar moves with its journal: set aside, then spent.
test("a run shows what is set aside while it works", async () => {
  const { run: id } = await handOut(await project("waits", { day_micro_usd: "none" }), "Wait for it");
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/waits/runs/${id}?view=ledger`);
  await page.getByText("$0 spent, $1.00 reserved").first().waitFor();
  await page.getByRole("table", { name: "Ledger of the run: 1 line" }).waitFor();
  await accessible(page);
  await writeFile(path.join(plane.root, "agent.sh.go"), "");
  await page.getByRole("table", { name: "Ledger of the run: 2 lines" }).waitFor();
  await page.getByText("$0.05 spent").first().waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

// L90, W6: a stop asks once, names what is lost and needs a reason; a question is answered on its run and its issue.
test("a run is stopped with a reason, from its own page", async () => {
  const asked = await parked(await project("stops", { run_micro_usd: 0, day_micro_usd: "none" }), "Priced, and stopped");
  const { page, context, complaints } = await signedIn(browser, plane, { theme: "dark" });
  await page.goto(`${plane.url}/p/stops/issues/${asked.issue.number}`);
  await page.getByRole("region", { name: "Open questions" }).getByRole("button", { name: "Stop the run" }).waitFor();
  await accessible(page);
  await shot(page, "issue-budget-dark-1440");
  await page.goto(`${plane.url}/p/stops/runs/${asked.run}`);
  const banner = page.getByRole("region", { name: "What it waits for" });
  await banner.getByText(USED_UP).waitFor();
  await shot(page, "run-parked-dark-1440");
  await accessible(page);
  await banner.getByRole("button", { name: "Answer" }).click();
  // A refusal keeps what was written, at its field.
  await card(page).getByRole("textbox", { name: "Add to the run" }).fill("25");
  await card(page).getByText("At most $20.00 at once").waitFor();
  expect(await card(page).getByRole("button", { name: /^Top up/ }).getAttribute("aria-disabled")).toBe("true");
  await card(page).getByRole("button", { name: "Stop the run" }).click();
  const dialog = page.getByRole("dialog", { name: /^Stop run/ });
  await dialog.getByText("budget_exhausted").waitFor();
  expect(await dialog.getByRole("button", { name: "Stop the run" }).getAttribute("aria-disabled")).toBe("true");
  await shot(page, "budget-stop-dark-1440");
  await accessible(page);
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await card(page).getByRole("button", { name: "Stop the run" }).click();
  await dialog.getByRole("textbox", { name: "Why it is stopped" }).fill("enough for this one");
  await dialog.getByRole("button", { name: "Stop the run" }).click();
  await page.getByText("Nothing is asked any more.").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("status").filter({ hasText: "Failed" }).waitFor();
  await banner.waitFor({ state: "detached" });
  const ended = await plane.call<{ failure: { code: string; message: string } }>("GET", `/runs/${asked.run}`);
  expect(ended.failure.code).toBe("budget_exhausted");
  expect(complaints).toEqual([]);
  await context.close();
});

// S67, L90: a day's budget is one question for all runs, shown on each of them.
test("a used-up day is answered on the run that did not ask", async () => {
  const days = await project("days", { day_micro_usd: 0 });
  const first = await parked(days, "Priced first");
  const second = await handOut(days, "Priced second");
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/days/issues/${second.issue.number}`);
  await page.getByRole("region", { name: "The work on it" }).getByRole("region", { name: "What it waits for" }).getByRole("button", { name: "Answer" }).waitFor();
  await accessible(page);
  await shot(page, "issue-day-light-1440");
  await page.goto(`${plane.url}/p/days/runs/${second.run}`);
  await page.getByRole("region", { name: "What it waits for" }).getByRole("button", { name: "Answer" }).click();
  const form = page.getByRole("dialog").getByRole("article", { name: /^The budget of \d{4}-\d\d-\d\d \(UTC\) is used up$/ });
  await form.getByText("with every other run here that needs money today").waitFor();
  await form.getByRole("textbox", { name: /^Add to \d{4}/ }).fill("20");
  await accessible(page);
  await shot(page, "budget-day-light-1440");
  await form.getByRole("button", { name: "Top up by $20.00 and go on" }).click();
  for (const { run: id } of [first, second]) expect((await days.ended(id)).status).toBe("completed");
  expect(complaints).toEqual([]);
  await context.close();
});

// L90, W6: who may not answer sees why; whom the policy names may.
test("who may not answer about money sees it with the reason", async () => {
  const closed = await project("closed", { run_micro_usd: 0, day_micro_usd: "none" });
  const asked = await parked(closed, "Priced, and forbidden");
  const { secret } = await plane.call<{ secret: string }>("POST", "/tokens", { label: "Mara", kind: "person", role: "member" });
  const { page, context } = await signedIn(browser, plane, { width: 390 });
  await context.request.post(`${plane.url}/api/v1/sessions`, { data: { token: secret }, headers: { origin: plane.url } });
  const me = (await (await context.request.get(`${plane.url}/api/v1/me`)).json()) as { role: string; actor: { name: string; type: string } };
  expect([me.role, me.actor.type]).toEqual(["member", "person"]);
  await page.reload();
  await card(page).getByText(/Only an admin answers about money/).waitFor();
  expect(await card(page).getByRole("textbox", { name: "Add to the run" }).isDisabled()).toBe(true);
  for (const name of [/^Top up/, "Stop the run"]) expect(await card(page).getByRole("button", { name }).getAttribute("aria-disabled")).toBe("true");
  await accessible(page);
  await shot(page, "budget-forbidden-light-390");
  await allow(closed, { budget_approvers: [me.actor.name] });
  await card(page).getByText(/Only an admin answers about money/).waitFor({ state: "detached" });
  await card(page).getByRole("button", { name: /^Top up/ }).click();
  await card(page).waitFor({ state: "detached" });
  expect((await closed.ended(asked.run)).status).toBe("completed");
  await context.close();
});
