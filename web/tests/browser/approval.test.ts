import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane, type Repository } from "./plane";

const run = promisify(execFile);
let plane: Plane;
let browser: Browser;
let shop: Repository;

/** An agent that asks before it deploys, and writes down what it heard. */
const AGENT = `#!/bin/sh
[ "$1" = --version ] && { echo 1.0; exit 0; }
read start
echo '{"type":"ready","name":"asker","session":"s-1"}'
echo '{"type":"approval_request","id":"1","tool":"deploy","input":{"to":"<b>here</b> \\u202egnp.exe"},"argv":["deploy","--to","here"]}'
read answer
echo "$answer" > heard.txt
echo '{"type":"message","text":"I did what I was let","final":true}'
echo '{"type":"end","outcome":"completed"}'
`;

const ROLE = `---
id: asker
title: asker
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
  await plane.declare("asker=command,protocol=1", AGENT);
  shop = await plane.repository("shop", ["unit"], { policy: false });
  await mkdir(path.join(shop.folder, ".proofhouse/roles"), { recursive: true });
  await writeFile(path.join(shop.folder, ".proofhouse/roles/asker.md"), ROLE);
  for (const args of [["add", "-A"], ["commit", "-qm", "roles"]]) await run("git", args, { cwd: shop.folder });
  const policy = path.join(plane.root, "policy.json");
  await writeFile(policy, JSON.stringify({ allowed_paths: { "*": ["."] }, agents: ["asker"], tools: [{ tool: "*", decision: "ask" }] }));
  await plane.cli("-p", "shop", "project", "policy", "--edit", policy);
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

interface Asking { issue: { id: string; number: number; title: string }; run: string }

/** An issue whose run asks for leave. */
const asking = async (title: string): Promise<Asking> => {
  const issue = await plane.call<Asking["issue"]>("POST", "/projects/shop/issues", { title, status: "ready" });
  const { run } = await plane.call<{ run: string }>("POST", "/projects/shop/runs", { kind: "dispatch", issue: issue.id, config: { role: "asker" } });
  await expect.poll(async () => (await plane.call<{ items: { run: string }[] }>("GET", "/questions?state=open")).items.some((one) => one.run === run), { timeout: 30_000 }).toBe(true);
  return { issue, run };
};

/** What the agent was told, from the branch that its run made. */
const heard = async ({ run: id }: Asking): Promise<unknown> => {
  const { status } = await shop.ended(id, 60_000);
  expect(status).toBe("completed");
  const view = await plane.call<{ dispatch: { report: { branch: string } } }>("GET", `/runs/${id}`);
  const { stdout } = await run("git", ["show", `${view.dispatch.report.branch}:heard.txt`], { cwd: shop.folder });
  return JSON.parse(stdout);
};
const form = (page: Page) => page.getByRole("dialog").getByRole("article", { name: /^deploy/ });

// S58, S95, W40: what an agent asks leave for is answered on the card of the board, in each of the three ways.
describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  test.each([390, 1440])("a question is answered on its card, at %i px", async (width) => {
    const asked = await asking(`Asks ${theme} ${width}`);
    const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
    await page.goto(`${plane.url}/p/shop/board?q=${encodeURIComponent(asked.issue.title)}`);
    const card = page.getByRole("listitem").filter({ hasText: asked.issue.title });
    const answer = card.getByRole("button", { name: "Answer 1 question" });
    await answer.waitFor();
    await shot(page, `card-asks-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    await card.getByRole("link").focus();
    await page.keyboard.press("a");
    await form(page).getByText("deploy --to here").waitFor();
    await shot(page, `approval-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    // What is blocked says why; a yes needs no words.
    expect(await form(page).getByRole("button", { name: "Something else" }).getAttribute("aria-disabled")).toBe("true");
    await form(page).getByRole("button", { name: "Allow once" }).click();
    await page.getByRole("dialog").getByText("Nothing is asked any more.").waitFor();
    await accessible(page);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await card.getByRole("link").evaluate((element) => element === document.activeElement)).toBe(true);
    await answer.waitFor({ state: "detached" });
    expect(await heard(asked)).toMatchObject({ type: "approval", allow: true });
    expect(await page.evaluate(() => document.querySelectorAll("dialog b").length)).toBe(0);
    expect(complaints).toEqual([]);
    await context.close();
  });
});

test("a no reaches the agent with its words, and so does something else", async () => {
  const { page, context, complaints } = await signedIn(browser, plane);
  const denied = await asking("Deny me");
  await page.goto(`${plane.url}/p/shop/issues/${denied.issue.number}`);
  const open = page.getByRole("region", { name: "Open questions" });
  await open.getByRole("textbox", { name: "What the agent is told" }).fill("not on a Friday");
  // A refusal keeps what was written, and says what it was.
  await page.route("**/answer", (route) => route.fulfill({ status: 403, contentType: "application/problem+json", body: JSON.stringify({ code: "PH-1005", title: "t", detail: "not who started the run", hint: "", status: 403 }) }));
  await open.getByRole("button", { name: "Deny" }).click();
  await open.getByRole("alert").getByText("not who started the run").waitFor();
  await accessible(page);
  await page.unroute("**/answer");
  expect(await open.getByRole("textbox", { name: "What the agent is told" }).inputValue()).toBe("not on a Friday");
  await open.getByRole("button", { name: "Deny" }).click();
  await open.waitFor({ state: "detached" });
  expect(JSON.stringify(await heard(denied))).toContain("not on a Friday");

  const revised = await asking("Tell me");
  await page.getByRole("button", { name: /^Inbox: 1/ }).click();
  await form(page).getByRole("textbox", { name: "What the agent is told" }).fill("deploy to the test stage");
  await form(page).getByRole("button", { name: "Something else" }).click();
  await page.getByRole("heading", { name: "Nothing is asked" }).waitFor();
  expect(JSON.stringify(await heard(revised))).toContain("deploy to the test stage");
  expect(complaints).toEqual([]);
  await context.close();
});
