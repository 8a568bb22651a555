import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane } from "./plane";

let plane: Plane;
let browser: Browser;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  await plane.repository("shop", ["unit"]);
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

interface Issue { id: string; number: number; revision: number; title: string; body: string; status: string }

const file = (body: Record<string, unknown>): Promise<Issue> => plane.call("POST", "/projects/shop/issues", body);
const read = (issue: Issue): Promise<Issue> => plane.call("GET", `/issues/${issue.id}`);

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  // W3, W9, W22, W40
  test.each([390, 1440])("an issue shows all of itself at %i px", async (width) => {
    const whole = await file({ title: "The whole", kind: "epic" });
    const issue = await file({
      title: "Sign-in <b>fails</b>", body: "# Seen\n\nwith a *blank* password\n\n<script>alert(1)</script>", kind: "bug", priority: "high",
      acceptance: [{ text: "it says why" }], labels: ["ui"], parent: whole.id, blocked_by: [whole.id], origin: whole.id,
    });
    await plane.call("POST", `/issues/${issue.id}/comments`, { body: "Which **browser**?" });
    const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
    await page.goto(`${plane.url}/p/shop/issues/${issue.number}`);
    await page.getByRole("heading", { level: 1, name: "Sign-in <b>fails</b>" }).waitFor();
    await page.getByRole("heading", { name: "Seen" }).waitFor();
    await page.getByText("<script>alert(1)</script>").waitFor();
    await page.getByText("it says why").waitFor();
    await page.getByRole("list", { name: "Conversation" }).getByText("browser").waitFor();
    await page.getByRole("region", { name: "Waits for" }).getByRole("link", { name: "The whole" }).waitFor();
    await shot(page, `issue-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    await page.getByRole("tab", { name: "Conversation" }).press("ArrowRight");
    await page.getByText("No run was about this issue yet.").waitFor();
    await accessible(page);
    await page.getByRole("tab", { name: "Lineage" }).click();
    await page.getByRole("region", { name: "Came from" }).getByRole("link", { name: "The whole" }).waitFor();
    await accessible(page);
    await fits(page);
    await page.goto(`${plane.url}/p/shop/issues/9999`);
    await page.getByText("Issue #9999 could not be loaded").waitFor();
    await accessible(page);
    expect(complaints).toEqual([]);
    await context.close();
  });
});

// W1, W22
test("it is talked about, moved, and follows what others do", async () => {
  const issue = await file({ title: "Talked about" });
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/shop/issues/${issue.number}`);
  await page.getByLabel("Comment").fill("I saw it, too.");
  await page.getByRole("button", { name: "Comment" }).click();
  const conversation = page.getByRole("list", { name: "Conversation" });
  await conversation.getByText("I saw it, too.").waitFor();
  expect(await page.getByLabel("Comment").inputValue()).toBe("");
  await page.getByLabel("Status", { exact: true }).selectOption("ready");
  await expect.poll(async () => (await read(issue)).status).toBe("ready");
  await plane.cli("-p", "shop", "issue", "comment", String(issue.number), "Said elsewhere");
  await conversation.getByText("Said elsewhere").waitFor();
  await plane.cli("-p", "shop", "issue", "edit", String(issue.number), "--title", "Renamed elsewhere");
  await page.getByRole("heading", { level: 1, name: "Renamed elsewhere" }).waitFor();
  await page.getByLabel("Assignee").fill("ann");
  await page.getByLabel("Assignee").press("Enter");
  await expect.poll(async () => ((await read(issue)) as unknown as { assignee: string | null }).assignee).toBe("ann");
  expect(complaints).toEqual([]);
  await context.close();
});

// D4, W6: two write at once; nothing that was not seen is overwritten.
test("an edit that comes second shows what the first one made", async () => {
  const issue = await file({ title: "Edited by two", body: "before" });
  const { page, context } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/shop/issues/${issue.number}`);
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Text").fill("mine");
  await plane.cli("-p", "shop", "issue", "edit", String(issue.number), "--body", "theirs, which I have not seen");
  await page.getByRole("button", { name: "Save" }).click();
  const conflict = page.getByRole("alert").filter({ hasText: "Somebody else changed it" });
  await conflict.getByText("theirs, which I have not seen").waitFor();
  await accessible(page);
  expect((await read(issue)).body).toBe("theirs, which I have not seen");
  await conflict.getByRole("button", { name: "Go on with mine" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await expect.poll(async () => (await read(issue)).body).toBe("mine");
  await page.getByRole("button", { name: "Edit" }).waitFor();
  await context.close();
});

// S96, X48: what a run of the issue asks is answered on the issue's page.
test("a question of a run is answered where the issue is talked about", async () => {
  const repository = await plane.repository("asks", ["unit"]);
  await repository.captureReview("It looks right");
  const issue = await plane.call<Issue>("POST", "/projects/asks/issues", { title: "To be looked at" });
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/asks/issues/${issue.number}`);
  await page.getByText("Nobody has said anything yet.").waitFor();
  await plane.call("POST", "/projects/asks/runs", { kind: "proof", config: {}, issue: issue.id });
  const asked = page.getByRole("region", { name: "Open questions" });
  await asked.getByText("REQ-0001/manual", { exact: true }).waitFor();
  await page.getByRole("complementary", { name: "Facts" }).getByText("Question").waitFor();
  await accessible(page);
  for (const box of await asked.getByRole("checkbox").all()) await box.check();
  await asked.getByRole("button", { name: "Accept" }).click();
  await page.getByRole("complementary", { name: "Facts" }).getByText("Proven").waitFor();
  expect(await asked.count()).toBe(0);
  await page.getByRole("tab", { name: "Runs" }).click();
  await page.getByRole("table", { name: "Runs of the issue" }).getByText("Passed", { exact: true }).waitFor();
  await accessible(page);
  expect(complaints).toEqual([]);
  await context.close();
});
