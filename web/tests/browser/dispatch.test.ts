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

/** An agent of our own: what the issue asks for by its title, it does. */
const AGENT = `#!/bin/sh
[ "$1" = --version ] && { echo 1.2.3; exit 0; }
cat > "$TMPDIR/prompt"
case "$(cat "$TMPDIR/prompt")" in
  *"Leave something"*) echo '{"files": [{"path": "left.txt", "contents": "x"}], "risks": ["it is slow"], "followups": ["Write the <b>docs</b>", {"title": "Sort them", "description": "by date"}]}'; exit 0;;
  *"Fail once"*) grep -q mended README.md || { echo "no such thing" >&2; exit 3; };;
  *"Wait for it"*) sleep 6;;
esac
mkdir -p src .github/workflows .proofhouse/roles
echo "one more" >> README.md
printf 'fn main() {\\n    // <script>alert(1)</script>\\n}\\n' > src/main.rs
printf 'on: push\\n' > .github/workflows/ci.yml
printf '\\000\\001\\002' > logo.bin
echo no > .proofhouse/roles/evil.md
seq 1 3000 > src/long.txt
head -c 60000 /dev/zero | tr '\\000' x > src/wide.txt
grep -q "Call it" "$TMPDIR/prompt" && grep -o "Call it.*" "$TMPDIR/prompt" > told.txt
printf '{"usage":{"input_tokens":1200,"output_tokens":34},"total_cost_usd":0.05,"result":"I did what was asked."}\\n'
`;

const ROLE = (id: string, output = "worktree") => `---
id: ${id}
title: ${id}
version: 1.0.0
category: role
use_case: for tests of the page
timeout_s: 120
output: ${output}
intent: implement
---
{{issue.title}}
{{instructions}}
`;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  await plane.declare("mine=command", AGENT);
  shop = await plane.repository("shop", ["unit"], { policy: false });
  await mkdir(path.join(shop.folder, ".proofhouse/roles"), { recursive: true });
  await writeFile(path.join(shop.folder, ".proofhouse/roles/tidy.md"), ROLE("tidy"));
  await writeFile(path.join(shop.folder, ".proofhouse/roles/leaver.md"), ROLE("leaver", "files"));
  await writeFile(path.join(shop.folder, ".proofhouse/roles/broken.md"), "---\nid: other\n---\n");
  await writeFile(path.join(shop.folder, "README.md"), "# Shop\n");
  for (const args of [["add", "-A"], ["commit", "-qm", "roles"]]) await run("git", args, { cwd: shop.folder });
  await shop.capture("It holds", "unit");
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

interface Issue { id: string; number: number; status: string }

const file = (body: Record<string, unknown>): Promise<Issue> => plane.call("POST", "/projects/shop/issues", body);
const allow = async (): Promise<void> => {
  const policy = { allowed_paths: { "*": ["."] }, agents: ["mine", "codex"], commands: [{ program: "./gate", decision: "allow" }] };
  const place = path.join(plane.root, "shop-policy.json");
  await writeFile(place, JSON.stringify(policy));
  await plane.cli("-p", "shop", "project", "policy", "--edit", place);
};
const open = async (page: Page, issue: Issue, rest = "") => {
  await page.goto(`${plane.url}/p/shop/issues/${issue.number}${rest}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
};
const work = (page: Page) => page.getByRole("region", { name: "The work on it" });

/** Hands the issue that is shown to the role `tidy`. */
const dispatch = async (page: Page, more?: (sheet: ReturnType<Page["getByRole"]>) => Promise<void>) => {
  await page.getByRole("button", { name: "Dispatch" }).click();
  const sheet = page.getByRole("dialog");
  await sheet.getByRole("radio", { name: /tidy/ }).check();
  await more?.(sheet);
  await sheet.getByRole("button", { name: "Dispatch" }).click();
};

// D29, D33, W6: what may not be started says why before it is tried, and roles with errors say what is wrong.
test("without a policy nothing is started, and the sheet says so", async () => {
  const issue = await file({ title: "No policy yet" });
  const { page, context, complaints } = await signedIn(browser, plane);
  await open(page, issue, "?start=true");
  const sheet = page.getByRole("dialog", { name: /Hand #\d+ to a role/ });
  await sheet.getByText("The project has no policy yet").first().waitFor();
  const broken = sheet.getByRole("radio", { name: /^broken/ });
  expect(await broken.isDisabled()).toBe(true);
  await sheet.getByText(".proofhouse/roles/broken.md").first().waitFor();
  await sheet.getByText("the project's own").first().waitFor();
  expect(await sheet.getByRole("button", { name: "Dispatch" }).getAttribute("aria-disabled")).toBe("true");
  await accessible(page);
  await page.keyboard.press("Escape");
  await sheet.waitFor({ state: "detached" });
  expect(complaints).toEqual([]);
  await context.close();
});

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  // W3, W9, W22, W40, D12, D47, S99
  test.each([390, 1440])("an issue is handed over, worked on and looked at, at %i px", async (width) => {
    await allow();
    const issue = await file({ title: `Tidy <b>up</b> ${theme} ${width}` });
    const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
    await open(page, issue);
    await page.getByRole("button", { name: "Dispatch" }).click();
    await page.getByRole("dialog").getByRole("radio", { name: /tidy/ }).check();
    await shot(page, `dispatch-sheet-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    await page.getByRole("dialog").getByRole("button", { name: "Dispatch" }).click();
    await work(page).getByText("Applied in part").waitFor();
    await work(page).getByText(/changed, 1 refused/).waitFor();
    await accessible(page);
    await work(page).getByRole("link", { name: "Look at the changes" }).click();
    const files = page.getByRole("navigation", { name: "Changed files" });
    await files.getByRole("button", { name: /main\.rs/ }).click();
    await page.getByText("<script>alert(1)</script>").waitFor();
    await shot(page, `changes-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    await page.getByRole("button", { name: "Side by side" }).click();
    await page.getByRole("button", { name: "One column" }).waitFor();
    await accessible(page);
    await fits(page);
    await files.getByRole("button", { name: /ci\.yml/ }).click();
    await page.getByText("Sensitive: this file decides").waitFor();
    await files.getByRole("button", { name: /evil\.md/ }).click();
    await page.getByText("does not allow this path").waitFor();
    await accessible(page);
    await files.getByRole("button", { name: /logo\.bin/ }).click();
    await page.getByText("It is no text").waitFor();
    await files.getByRole("button", { name: /wide\.txt/ }).click();
    await page.getByText("60,000 characters").first().waitFor();
    await fits(page);
    await page.getByRole("tab", { name: "Artifacts" }).click();
    await page.getByRole("list", { name: "Artifacts" }).getByRole("link", { name: "answer.md" }).waitFor();
    await accessible(page);
    await fits(page);
    await work(page).getByRole("link", { name: /^run/ }).click();
    const facts = page.getByRole("region", { name: "The dispatch" });
    await facts.getByText("1,200 in, 34 out").waitFor();
    await facts.getByText("$0.05").waitFor();
    await shot(page, `dispatch-run-${theme}-${width}`);
    await accessible(page);
    await fits(page);
    await facts.getByRole("button", { name: "What it was told" }).click();
    await page.getByRole("dialog").getByRole("table").waitFor();
    await accessible(page);
    await page.keyboard.press("Escape");
    await facts.getByRole("button", { name: "Prompt" }).click();
    await page.getByRole("dialog").getByText(`Tidy <b>up</b> ${theme} ${width}`).waitFor();
    await accessible(page);
    expect(complaints).toEqual([]);
    await context.close();
  });
});

// D33, W6: refusals name what is in the way, and what is blocked can be forced.
test("a start that is refused says why, and what waits for others can be forced", async () => {
  await allow();
  const first = await file({ title: "Comes first" });
  const issue = await file({ title: "Waits for another", blocked_by: [first.id] });
  const { page, context, complaints } = await signedIn(browser, plane);
  const sheet = page.getByRole("dialog");
  await open(page, first);
  await dispatch(page, async () => {
    await sheet.getByRole("radio", { name: /Into the checkout/ }).check();
  });
  await sheet.getByRole("alert").getByText("PH-1010").waitFor();
  await accessible(page);
  await open(page, issue);
  await dispatch(page);
  await sheet.getByRole("alert").getByRole("link", { name: /Comes first/ }).waitFor();
  await accessible(page);
  await sheet.getByRole("button", { name: "Start although it waits for these" }).click();
  await work(page).getByText("Applied in part").waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

// D12, D36, W1: what nobody can do says what is missing, and is cancelled.
test("a run that waits for a worker says for which, and can be cancelled", async () => {
  await allow();
  const issue = await file({ title: "Nobody has it" });
  await plane.call("POST", "/projects/shop/runs", { kind: "dispatch", issue: issue.id, config: { role: "tidy", agent: "mine", labels: ["gpu"] } });
  const { page, context, complaints } = await signedIn(browser, plane);
  await open(page, issue);
  await work(page).getByText("no worker of this project has gpu").waitFor();
  await accessible(page);
  await work(page).getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel the run" }).click();
  await work(page).getByText("Cancelled", { exact: true }).waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

// D37, W1: it is followed live; what failed is tried again, and what was refused is applied again without an agent.
test("a run is followed as it goes, and tried again when it failed", async () => {
  await allow();
  const issue = await file({ title: "Wait for it" });
  const { page, context, complaints } = await signedIn(browser, plane);
  await open(page, issue);
  await dispatch(page);
  await work(page).getByText("the agent works").waitFor();
  await accessible(page);
  await work(page).getByText("Applied in part").waitFor();
  await work(page).getByRole("button", { name: "Retry with stored result" }).click();
  await page.getByRole("tab", { name: "Runs" }).click();
  await expect.poll(() => page.getByRole("table", { name: "Runs of the issue" }).getByText("Applied in part").count(), { timeout: 20_000 }).toBe(2);

  const failing = await file({ title: "Fail once" });
  await open(page, failing);
  await dispatch(page);
  await work(page).getByRole("alert").getByText("agent_failed").waitFor();
  await accessible(page);
  await writeFile(path.join(shop.folder, "README.md"), "# Shop, mended\n");
  await run("git", ["commit", "-qam", "mended"], { cwd: shop.folder });
  await work(page).getByRole("button", { name: "Retry", exact: true }).click();
  await work(page).getByText("Applied in part").waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

// S92, S99: by keys alone: file by file, line by line, a comment; all are sent, and the agent goes on knowing them.
test("comments on lines become the agent's next instruction", async () => {
  await allow();
  const issue = await file({ title: "To be commented on" });
  const { page, context, complaints } = await signedIn(browser, plane);
  await open(page, issue);
  await dispatch(page);
  await work(page).getByText("Applied in part").waitFor();
  await page.getByRole("tab", { name: "Changes" }).click();
  const files = page.getByRole("navigation", { name: "Changed files" });
  await files.getByRole("button", { name: /README/ }).click();
  await files.getByRole("button", { name: /README/ }).press("n");
  await page.getByRole("heading", { level: 2, name: /logo\.bin/ }).waitFor();
  await page.keyboard.press("p");
  await page.getByRole("heading", { level: 2, name: /README/ }).waitFor();
  await page.locator("tr[data-line='0']").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("c");
  await page.getByRole("textbox", { name: "Comment on line 2" }).fill("Call it **two more**.");
  await accessible(page);
  await page.getByRole("textbox", { name: "Comment on line 2" }).press("Control+Enter");
  await page.getByRole("article", { name: "Comment on line 2 of README.md" }).getByText("not sent yet").waitFor();
  await accessible(page);
  // Kept by the plane: a reload shows it still.
  await page.reload();
  await page.getByRole("article", { name: "Comment on line 2 of README.md" }).waitFor();
  await page.getByRole("button", { name: "Send all (1)" }).click();
  await work(page).getByText("Applied in part").waitFor();
  await expect.poll(() => page.getByRole("combobox", { name: "Made by" }).getByRole("option").count(), { timeout: 20_000 }).toBe(2);
  await page.goto(`${plane.url}/p/shop/issues/${issue.number}?tab=changes`);
  await files.getByRole("button", { name: /told\.txt/ }).click();
  await page.getByText("Call it **two more**.").waitFor();
  await page.getByText("1 comment on other changes").click();
  await page.getByRole("article", { name: "Comment on line 2 of README.md" }).getByText("outdated").waitFor();
  await accessible(page);
  expect(complaints).toEqual([]);
  await context.close();
});

// D38: the proof of a dispatch and the dispatch lead to each other.
test("a dispatch that is proven and its proof lead to each other", async () => {
  await allow();
  const issue = await file({ title: "Proven" });
  const { page, context, complaints } = await signedIn(browser, plane);
  await open(page, issue);
  await dispatch(page, (sheet) => sheet.getByRole("checkbox", { name: /Prove the commit/ }).check());
  await work(page).getByText("Applied in part").waitFor();
  await work(page).getByRole("link", { name: /^run/ }).click();
  const facts = page.getByRole("region", { name: "The dispatch" });
  await facts.getByText("Proof", { exact: true }).waitFor();
  await facts.locator("dd").filter({ hasText: /Passed|Unproven|Failed/ }).getByRole("link").click();
  await page.getByText("Proves what").waitFor();
  await accessible(page);
  await page.getByText("Proves what").getByRole("link").click();
  await facts.waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

// P83: an issue and a dispatch that ended name what has to be proven, and run it; a glitch is captured about the issue.
test.each([["light", 1440], ["dark", 390]] as const)("the requirements of an issue are listed and run, in the %s theme at %i px", async (theme, width) => {
  await allow();
  const issue = await file({ title: `Has to hold ${theme}` });
  const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
  await open(page, issue);
  const proven = page.getByRole("region", { name: "Requirements" });
  await proven.getByRole("link", { name: "Capture one" }).click();
  const sheet = page.getByRole("dialog", { name: "Capture a glitch" });
  expect(await sheet.getByLabel("Issue").inputValue()).toBe(String(issue.number));
  await sheet.getByLabel("What must hold").fill(`Holds in the ${theme}`);
  await accessible(page);
  await sheet.getByRole("button", { name: "Capture" }).click();
  await page.getByRole("dialog", { name: "Captured" }).getByRole("link", { name: /^Open REQ-/ }).click();
  await page.getByRole("region", { name: /^Requirement REQ-/ }).getByRole("link", { name: `#${issue.number}` }).click();
  const row = proven.getByRole("listitem").filter({ hasText: `Holds in the ${theme}` });
  await row.waitFor();
  await dispatch(page);
  await work(page).getByText("Applied in part").waitFor();
  await accessible(page);
  await fits(page);
  await shot(page, `issue-requirements-${theme}-${width}`);
  await work(page).getByRole("link", { name: /^run/ }).click();
  await page.getByRole("region", { name: "The dispatch" }).waitFor();
  await row.waitFor();
  await proven.getByRole("button", { name: "Run gates on its branch" }).click();
  await proven.getByRole("status").getByRole("link", { name: /^run/ }).waitFor();
  await accessible(page);
  await fits(page);
  await shot(page, `dispatch-requirements-${theme}-${width}`);
  await proven.getByRole("status").getByRole("link", { name: /^run/ }).click();
  await page.getByRole("heading", { level: 1, name: /^Proof run/ }).waitFor();
  await page.goto(`${plane.url}/p/shop/proof?issue=${issue.number}`);
  await page.getByRole("button", { name: `Issue #${issue.number}` }).waitFor();
  await page.getByText("1 found").waitFor({ state: "attached" });
  await accessible(page);
  expect(complaints).toEqual([]);
  await context.close();
});

// D49: what an agent left is filed by a person, each piece once, with where it came from. D32: a role is advised.
test("follow-ups are filed, and a role is suggested", async () => {
  await allow();
  const issue = await file({ title: "Leave something", body: "Write tests that reproduce the bug and raise coverage" });
  const { page, context, complaints } = await signedIn(browser, plane);
  await open(page, issue);
  await page.getByRole("button", { name: "Dispatch" }).click();
  const sheet = page.getByRole("dialog");
  await sheet.getByRole("button", { name: "Suggest a role" }).click();
  await sheet.getByText(/^test-writer: it shares the words/).waitFor();
  expect(await sheet.getByRole("radio", { name: /^test-writer/ }).isChecked()).toBe(true);
  await accessible(page);
  await sheet.getByRole("radio", { name: /^leaver/ }).check();
  await sheet.getByRole("button", { name: "Dispatch" }).click();
  await work(page).getByText("Applied", { exact: true }).waitFor();
  await work(page).getByRole("link", { name: /^run/ }).click();
  const left = page.getByRole("region", { name: "What is left to do" });
  const docs = left.getByRole("listitem").filter({ hasText: "Write the <b>docs</b>" });
  await docs.getByRole("button", { name: "File as a part" }).click();
  await docs.getByRole("link", { name: /^filed as #/ }).waitFor();
  await left.getByRole("listitem").filter({ hasText: "Sort them" }).getByRole("button", { name: "File beside it" }).click();
  await expect.poll(() => left.getByRole("link", { name: /^filed as #/ }).count(), { timeout: 10_000 }).toBe(2);
  await accessible(page);
  await page.reload();
  await expect.poll(() => left.getByRole("link", { name: /^filed as #/ }).count(), { timeout: 10_000 }).toBe(2);
  await docs.getByRole("link", { name: /^filed as #/ }).click();
  await page.getByRole("heading", { level: 1, name: "Write the <b>docs</b>" }).waitFor();
  await page.getByRole("tab", { name: "Lineage" }).click();
  await page.getByText(/followup/).waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

// W4, S95: by keys from the board to the start sheet.
test("d on a card of the board opens its start sheet", async () => {
  await allow();
  const issue = await file({ title: "From the board" });
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/shop/board?q=From+the+board`);
  await page.getByRole("link", { name: "From the board" }).focus();
  await page.keyboard.press("d");
  await page.getByRole("dialog", { name: `Hand #${issue.number} to a role` }).waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});
