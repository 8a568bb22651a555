import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane, type Repository } from "./plane";

/** A gate that leaves per-test results and artifacts. */
const CONTRACT = `
[proof.gates.contract]
runner = "command"
argv = ["./gate", "contract", "{out}"]
parser = { kind = "junit", path = "{out}/r.xml" }
`;

const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

let plane: Plane;
let browser: Browser;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

const row = (page: Page, id: string) => page.getByRole("table", { name: /^Requirements of/ }).getByRole("row").filter({ hasText: id });

async function at(shop: Repository, place = "", look: Parameters<typeof signedIn>[2] = {}) {
  const tab = await signedIn(browser, plane, look);
  await tab.page.goto(`${plane.url}/p/${shop.key}/proof${place}`);
  await tab.page.locator("[data-live=live]").waitFor();
  return tab;
}

describe("running gates", () => {
  let shop: Repository;
  beforeAll(async () => {
    shop = await plane.repository("shop", ["unit", "e2e"]);
    await shop.capture("Totals add up", "unit", "e2e");
    await shop.capture("Prices are rounded", "unit");
  });

  // P19, P78, W24: two tabs press at once: one run, and both show it.
  test("two people press at once, and one run shows in both pages", async () => {
    await shop.gate("e2e", "say talking to the shop", "wait both");
    const [one, two] = await Promise.all([at(shop), at(shop, "", { theme: "dark" })]);
    await Promise.all([one, two].map(({ page }) => row(page, "REQ-0002").waitFor()));
    await Promise.all([one, two].map(({ page }) => page.getByRole("button", { name: "Run gates", exact: true }).click()));
    for (const { page } of [one, two]) {
      await page.getByRole("list", { name: "Running commands" }).getByText("./gate e2e").waitFor();
      // The last line that the command wrote, as it runs.
      await page.getByText("talking to the shop").waitFor();
      await row(page, "REQ-0001").getByText("Running").waitFor({ state: "attached" });
      // W6: disabled with a reason.
      expect(await page.getByRole("button", { name: "Run gates", exact: true }).first().getAttribute("aria-disabled")).toBe("true");
    }
    const { items } = await plane.call<{ items: unknown[] }>("GET", `/projects/shop/runs?kind=proof`);
    expect(items).toHaveLength(1);
    expect((await one.page.getByText(/^Joined run/).count()) + (await two.page.getByText(/^Joined run/).count())).toBe(1);
    await shot(one.page, "proof-running-light-1440");
    await shot(two.page, "proof-running-dark-1440");
    await accessible(one.page);
    await accessible(two.page);

    await shop.let("both");
    for (const { page, complaints, context } of [one, two]) {
      await page.getByRole("button", { name: "Run all again" }).waitFor();
      await row(page, "REQ-0001").getByText("Satisfied").waitFor();
      await page.getByRole("link", { name: /Merge gate.*(Clear|in the way)/ }).waitFor();
      expect(complaints).toEqual([]);
      await context.close();
    }
  });

  // P22: a finished gate shows, and its evidence opens, while another still runs.
  test("a gate that ends shows at once, and its evidence opens before the run ends", async () => {
    await shop.gate("unit", "say first line", "lines 3000", "say needle in a stack", "exit 1");
    await shop.gate("e2e", "wait late");
    const { page, context, complaints } = await at(shop);
    await row(page, "REQ-0001").waitFor();
    await page.keyboard.press("r");
    await row(page, "REQ-0002").getByText("Failed").waitFor({ state: "attached" });
    await page.getByRole("progressbar", { name: /2 of 3 gates, 2 failed/ }).waitFor();
    const board = page.getByRole("table", { name: "Gates of the run" });
    await board.getByRole("link", { name: /REQ-0002/ }).click();
    await page.getByRole("heading", { name: /^Evidence/ }).waitFor();
    await page.getByText("./gate unit", { exact: true }).waitFor();
    const log = page.getByRole("region", { name: /^Output of.*: text$/ });
    await log.getByText("first line").waitFor();
    await page.getByText("3,002 lines").waitFor();
    // Lines far away come as they are looked for.
    await page.getByLabel("Search the text").fill("needle");
    await page.getByRole("toolbar", { name: "Text" }).getByRole("status").filter({ hasText: /^(1\/)?1$/ }).waitFor();
    await page.keyboard.press("Enter");
    await log.getByText("needle in a stack").waitFor();
    await page.getByText(/files fenced|files not fenced/).waitFor();
    await page.getByText("intact: seal, journal and bytes agree").waitFor();
    await shot(page, "proof-evidence-1440");
    await accessible(page);
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download" }).first().click();
    expect(await readFile(await (await download).path(), "utf8")).toMatch(/^first line\n1\n2\n/);

    await page.keyboard.press("Escape");
    await shop.let("late");
    await page.getByRole("button", { name: "Retry what did not pass" }).waitFor();
    await shot(page, "proof-failed-1440");
    await accessible(page);
    expect(complaints).toEqual([]);
    await context.close();
  });

  // P25: a retry is a new run of what did not pass.
  test("what did not pass is run again, and passes", async () => {
    await shop.gate("unit", "exit 0");
    const { page, context } = await at(shop);
    await page.getByRole("button", { name: "Retry what did not pass" }).click();
    await row(page, "REQ-0002").getByText("Satisfied").waitFor();
    await page.getByRole("link", { name: "History" }).click();
    await page.getByRole("list", { name: "Proof runs" }).getByText("retry").waitFor();
    await shot(page, "proof-history-1440");
    await accessible(page);
    await context.close();
  });

  // P24: a run that is cancelled says so, after one question.
  test("a run is cancelled after one question", async () => {
    await shop.gate("e2e", "wait never");
    const { page, context } = await at(shop, "", { width: 390, height: 844, theme: "dark" });
    await page.getByRole("button", { name: "Run gates", exact: true }).click();
    await page.getByRole("link", { name: "Gates" }).click();
    await page.getByRole("list", { name: "Running commands" }).getByText("./gate e2e").waitFor();
    await shot(page, "proof-running-dark-390");
    await accessible(page);
    await fits(page);
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("dialog", { name: "Cancel this run?" }).getByRole("button", { name: "Cancel the run" }).click();
    await page.getByText("Cancelled").first().waitFor();
    await page.getByRole("button", { name: "Run all again" }).waitFor();
    await context.close();
  });

  // P16: a run that had nothing to do is neutral news, and never passed.
  test("an empty run says why, and what to do", async () => {
    await shop.gate("e2e", "exit 0");
    await shop.ended(await shop.start());
    const { page, context } = await at(shop);
    await page.getByRole("button", { name: "More ways to run gates" }).click();
    await page.getByRole("menuitem", { name: "What the merge gate would not clear" }).click();
    await page.getByText("Nothing was proven").or(page.getByText(/^Passed/).first()).waitFor();
    await accessible(page);
    await context.close();
  });
});

describe("what people decide", () => {
  let desk: Repository;
  beforeAll(async () => {
    desk = await plane.repository("desk", ["unit", "e2e"], { toml: CONTRACT });
    await desk.capture("Mail goes out once", "unit", "e2e");
    await desk.captureReview("The invoice looks right");
    await desk.gate("unit", "exit 1");
  });

  // P64: who, until when and what it does stand there before it is done.
  test("a requirement is waived in two steps, and the waiver is ended", async () => {
    const { page, context, complaints } = await at(desk, "/REQ-0001");
    await page.getByRole("button", { name: "Waive", exact: true }).click();
    const form = page.getByRole("dialog", { name: "Waive REQ-0001", exact: true });
    // W6: nothing happens without a reason, and the button says so.
    await form.getByRole("button", { name: "Next" }).hover();
    await page.getByRole("tooltip").getByText("Say why").waitFor();
    await form.getByLabel("Reason").fill("The provider mends it in December");
    await form.getByLabel("Last day (UTC)").fill("2099-12-31");
    await form.getByRole("radio", { name: "Only some" }).check();
    await form.getByRole("checkbox", { name: "unit" }).check();
    await accessible(page);
    await form.getByRole("button", { name: "Next" }).click();
    const sure = page.getByRole("dialog", { name: "Waive REQ-0001?" });
    await sure.getByText("the end of 2099-12-31 (UTC)").waitFor();
    await sure.getByText("owner").waitFor();
    await shot(page, "proof-waive-1440");
    await accessible(page);
    // Back keeps what was written.
    await sure.getByRole("button", { name: "Back" }).click();
    await form.getByRole("radio", { name: "All of them" }).check();
    await form.getByRole("button", { name: "Next" }).click();
    await sure.getByRole("button", { name: "Waive it" }).click();
    await row(page, "REQ-0001").getByText("Waived").first().waitFor();
    await page.getByText("The provider mends it in December").waitFor();
    await accessible(page);

    await page.getByRole("button", { name: "End the waiver" }).click();
    const end = page.getByRole("dialog", { name: "End the waiver of REQ-0001?" });
    await end.getByLabel("Reason").fill("It came earlier");
    await end.getByRole("button", { name: "End the waiver" }).click();
    await row(page, "REQ-0001").getByText("Open").waitFor();
    await page.getByText(/was ended .*: It came earlier/).waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });

  // P5, P9: what will be made of it shows before it is saved; the stubs lie in the checkout after.
  test("a glitch is captured: suggestion, scope and stubs first", async () => {
    const { page, context, complaints } = await at(desk);
    await row(page, "REQ-0002").waitFor();
    await page.keyboard.press("c");
    const sheet = page.getByRole("dialog", { name: "Capture a glitch" });
    await sheet.getByLabel("What must hold").fill("The login endpoint answers the contract");
    await sheet.getByLabel("Where").fill("GET /api/session\nsrc/login.ts\n#auth");
    await sheet.getByText("by its words", { exact: true }).waitFor();
    await sheet.getByText("Understood as").waitFor();
    await sheet.getByText("GET /api/session", { exact: true }).last().waitFor();
    await accessible(page);
    // A person's choice outranks the words (P3).
    const chosen = sheet.getByRole("checkbox", { checked: true });
    for (let left = await chosen.count(); left > 0; left -= 1) await chosen.first().click();
    await sheet.getByRole("checkbox", { name: "contract" }).check();
    await sheet.getByLabel("How contract is proved").selectOption("by a test that exists");
    await sheet.getByLabel("The test that proves contract").fill("login.answers");
    await sheet.getByText("as you chose").waitFor();
    await shot(page, "proof-capture-1440");
    await sheet.getByRole("button", { name: "Capture", exact: true }).click();
    await page.getByRole("dialog", { name: "Captured" }).getByText("REQ-0003").first().waitFor();
    await accessible(page);
    await page.keyboard.press("Escape");
    await row(page, "REQ-0003").getByTitle(/^contract: never ran/).waitFor();
    const kept = await plane.call<{ obligations: { gate: string; rules: { test: string }[] }[]; scope: { apis: string[] } }>("GET", "/projects/desk/proof/requirements/REQ-0003");
    expect(kept.obligations.map(({ gate, rules }) => [gate, rules[0]?.test])).toEqual([["contract", "login.answers"]]);
    expect(kept.scope.apis).toEqual(["GET /api/session"]);
    expect(complaints).toEqual([]);
    await context.close();
  });

  // P34, P39: per-test results and artifacts, as the command left them.
  test("tests and artifacts are shown where the evidence is", async () => {
    await writeFile(path.join(desk.folder, "r.xml"), `<testsuite><testcase classname="login" name="answers" time="0.25"><failure message="expected 200, got 500">at line 3</failure></testcase><testcase classname="login" name="refuses" time="0.1"/></testsuite>`);
    await writeFile(path.join(desk.folder, "shot.png"), PIXEL);
    await writeFile(path.join(desk.folder, "trace.txt"), "GET /api/session 500\n");
    await desk.gate("contract", "keep r.xml r.xml", "keep shot.png artifacts/shot.png", "keep trace.txt artifacts/trace.txt", "exit 1");
    await desk.ended(await desk.start({ gates: ["contract"] }));
    const { page, context } = await at(desk, "/REQ-0003");
    await page.getByRole("link", { name: "contract: evidence" }).click();
    const tests = page.getByRole("region", { name: "Tests" });
    await tests.getByText("expected 200, got 500").waitFor();
    await page.getByRole("img", { name: /shot\.png$/ }).waitFor();
    expect(await page.getByRole("img", { name: /shot\.png$/ }).evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(1);
    await page.getByText("GET /api/session 500").waitFor();
    await shot(page, "proof-artifacts-1440");
    await accessible(page);
    await context.close();
  });

  // P67, X48: the question waits in the inbox; its answer settles the requirement as one looks.
  test("a review is answered from the inbox", async () => {
    const { page, context, complaints } = await at(desk, "", { theme: "dark" });
    await row(page, "REQ-0002").waitFor();
    await page.getByRole("button", { name: "More ways to run gates" }).click();
    await page.getByRole("menuitem", { name: "Choose gates, files and more" }).click();
    const dialog = page.getByRole("dialog", { name: "Run gates" });
    await dialog.getByRole("checkbox", { name: "manual" }).check();
    await accessible(page);
    await shot(page, "proof-run-dialog-dark-1440");
    await dialog.getByRole("button", { name: "Run gates" }).click();
    await row(page, "REQ-0002").getByText("Waiting").waitFor({ state: "attached" });
    await page.getByRole("button", { name: "Inbox: 1 open question" }).click();
    const inbox = page.getByRole("dialog", { name: "Inbox" });
    for (const box of await inbox.getByRole("checkbox").all()) await box.check();
    await inbox.getByRole("button", { name: "Accept" }).click();
    await inbox.getByRole("heading", { name: "Nothing is asked" }).waitFor();
    await page.keyboard.press("Escape");
    await row(page, "REQ-0002").getByText("Satisfied").waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });

  // P69: what stands in the way, and each way to it.
  test("the merge check says what stands in the way, also of a branch", async () => {
    const { page, context } = await at(desk, "?view=check");
    await page.getByText("Not clear", { exact: true }).waitFor();
    await page.getByRole("region", { name: /in the way$/ }).getByRole("link", { name: "Mail goes out once" }).waitFor();
    await shot(page, "proof-check-1440");
    await accessible(page);
    await page.getByLabel("Branch, tag or commit; the checkout when empty").fill("no-such-branch");
    await page.keyboard.press("Enter");
    // P70: whatever is not known is never clear.
    const alert = page.getByRole("alert").filter({ hasText: "Cannot tell whether it may be merged" });
    await alert.getByText("PH-1114").waitFor();
    await accessible(page);
    expect(page.url()).toContain("ref=no-such-branch");
    await context.close();
  });
});

// W4, P82: the whole way by keyboard, and focus is where one left it.
test("everything by keyboard", async () => {
  const keys = await plane.repository("keys", ["unit"]);
  for (const title of ["Alpha holds", "Beta holds", "Gamma holds"]) await keys.capture(title, "unit");
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/keys/runs`);
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await row(page, "REQ-0003").waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-requirement"));
  await page.keyboard.press("j");
  await expect.poll(focused).toBe("REQ-0001");
  await page.keyboard.press("ArrowDown");
  await expect.poll(focused).toBe("REQ-0002");
  await page.keyboard.press("k");
  await expect.poll(focused).toBe("REQ-0001");
  await page.keyboard.press("Enter");
  await page.getByText("Alpha holds").nth(1).waitFor();
  expect(page.url()).toContain("/proof/REQ-0001");
  await page.keyboard.press("Escape");
  await expect.poll(() => page.url()).toMatch(/\/proof$/);
  await expect.poll(focused).toBe("REQ-0001");
  await page.keyboard.press("/");
  await page.keyboard.type("gam");
  await expect.poll(() => page.url()).toContain("q=gam");
  await expect.poll(() => row(page, "REQ-0001").count()).toBe(0);
  await page.keyboard.press("Escape");
  await row(page, "REQ-0001").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("r");
  await row(page, "REQ-0003").getByText("Satisfied").waitFor();
  await page.keyboard.press("c");
  await page.getByRole("dialog", { name: "Capture a glitch" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  // W2: reload and share land on the same view.
  await page.goto(`${plane.url}/p/keys/proof?q=beta&sort=-id`);
  await row(page, "REQ-0002").waitFor();
  expect(await row(page, "REQ-0001").count()).toBe(0);
  expect(await page.getByRole("columnheader", { name: "Number" }).getAttribute("aria-sort")).toBe("descending");
  await page.goto(`${plane.url}/p/keys/proof?q=nothing+like+it`);
  await page.getByRole("heading", { name: "No requirement is like that" }).waitFor();
  await accessible(page);
  await shot(page, "proof-not-found-1440");
  expect(complaints).toEqual([]);
  await context.close();
});
