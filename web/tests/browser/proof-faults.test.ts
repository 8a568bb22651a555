import { mkdtemp, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, fits, listen, openBrowser, shot, signedIn } from "./browser";
import { Plane, sleep } from "./plane";

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

// W41, P79: the server dies during a run and comes back: what was there stays, is marked as not live,
// and every entry is in the page once.
test("a server that is killed during a run costs no entry", async () => {
  const shop = await plane.repository("killed", ["unit", "e2e"]);
  await shop.capture("Totals add up", "unit", "e2e");
  await shop.gate("e2e", "say before", "wait again", "exit 0");
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/killed/proof`);
  await row(page, "REQ-0001").waitFor();
  await page.locator("[data-live=live]").waitFor();
  await page.keyboard.press("r");
  await page.getByRole("list", { name: "Running commands" }).getByText("./gate e2e").waitFor();
  await plane.down("SIGKILL");
  await page.locator("[data-live=reconnecting]").waitFor();
  await page.getByText("not live").waitFor();
  expect(await row(page, "REQ-0001").count()).toBe(1);
  await shot(page, "proof-not-live-1440");
  await accessible(page);
  // P78: a start whose answer is lost is asked for again with the same key; nothing is started twice.
  await plane.up();
  await page.locator("[data-live=live]").waitFor();
  await shop.let("again");
  const { items } = await plane.call<{ items: { id: string }[] }>("GET", "/projects/killed/runs?kind=proof");
  expect(items).toHaveLength(1);
  const run = items[0]?.id ?? "";
  await shop.ended(run, 90_000);
  await page.getByRole("button", { name: "Run all again" }).waitFor();
  const { head } = await plane.call<{ head: number }>("GET", `/runs/${run}/entries?limit=1`);
  await page.locator(`[data-entries="${head}"]`).waitFor();
  expect(complaints).toEqual([]);
  await context.close();
}, 120_000);

// P78: the answer to a start is lost on the way: the same wish is sent again, and one run is there.
test("a start whose answer was lost starts one run", async () => {
  const shop = await plane.repository("lost", ["unit"]);
  await shop.capture("Totals add up", "unit");
  const { page, context } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/lost/proof`);
  await row(page, "REQ-0001").waitFor();
  const wishes: (string | undefined)[] = [];
  await page.route("**/projects/lost/runs?*", async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    wishes.push(route.request().headers()["idempotency-key"]);
    if (wishes.length > 1) return route.continue();
    await route.fetch();
    return route.abort("connectionreset");
  });
  await page.keyboard.press("r");
  await row(page, "REQ-0001").getByText("Satisfied").waitFor();
  await expect.poll(() => wishes.length).toBe(2);
  expect(wishes[0]).toBe(wishes[1]);
  const { items } = await plane.call<{ items: unknown[] }>("GET", "/projects/lost/runs?kind=proof");
  expect(items).toHaveLength(1);
  await context.close();
});

// P80, W3: an error has its code, and Retry retries.
test("what could not be loaded says so with its code, and is retried", async () => {
  const shop = await plane.repository("broken", ["unit"]);
  await shop.capture("Totals add up", "unit");
  const { page, context } = await signedIn(browser, plane, { theme: "dark" });
  const refuse = { status: 500, contentType: "application/problem+json", body: JSON.stringify({ code: "PH-1019", title: "inside", detail: "the plane made a mistake", hint: "try again", status: 500, request_id: "abc" }) };
  await page.route("**/proof/requirements?*", (route) => route.fulfill(refuse));
  await page.goto(`${plane.url}/p/broken/proof`);
  const alert = page.getByRole("alert").filter({ hasText: "The requirements could not be loaded" });
  await alert.getByText("PH-1019").waitFor();
  // P77: the surfaces of runs stay.
  await page.getByRole("heading", { name: "No run yet" }).waitFor();
  expect(await page.getByRole("button", { name: "Run gates", exact: true }).getAttribute("aria-disabled")).toBeNull();
  await shot(page, "proof-error-dark-1440");
  await accessible(page);
  await page.unroute("**/proof/requirements?*");
  await alert.getByRole("button", { name: "Retry" }).click();
  await row(page, "REQ-0001").waitFor();
  await context.close();
});

// W42: nothing that a repository or a person wrote is more than text, and the layout holds.
test("hostile text stays text", async () => {
  const shop = await plane.repository("hostile", ["unit"], { toml: `\n[proof.gates.contract]\nrunner = "command"\nargv = ["./gate", "contract", "{out}"]\nparser = { kind = "junit", path = "{out}/r.xml" }\n` });
  const evil = `<img src=x onerror="window.hit=1"><script>window.hit=1</script> \u202egnp.exe \u{1F389} ${"W".repeat(60)}`;
  await plane.call("POST", "/projects/hostile/proof/requirements", { title: evil, description: `${evil}\n[link](javascript:window.hit=1)\n![x](http://203.0.113.1/x.png)`, where: `#${"tag".repeat(60)}`, gates: ["unit", "contract"], rules: [{ gate: "unit", how: "suite" }, { gate: "contract", how: "suite" }] });
  await writeFile(path.join(shop.folder, "long.txt"), `\u001b[31mred\u001b[0m ${evil}\n${"x".repeat(1_000_000)}\nthe end\n`);
  await writeFile(path.join(shop.folder, "r.xml"), `<testsuite><testcase classname="a" name="&lt;script&gt;window.hit=1&lt;/script&gt;\u202e"><failure message="&lt;b&gt;bold&lt;/b&gt; &lt;img src=x onerror='window.hit=1'&gt;"/></testcase></testsuite>`);
  await writeFile(path.join(shop.folder, "page.html"), "<script>parent.hit=1</script>");
  await shop.gate("unit", "say \u001b[1mbold\u001b[0m <script>window.hit=1</script>", "show long.txt", "exit 1");
  await shop.gate("contract", "keep r.xml r.xml", "keep page.html artifacts/page.html", "exit 1");
  await shop.ended(await shop.start());
  for (const width of [1440, 390]) {
    const { page, context, complaints } = await signedIn(browser, plane, { width, theme: width === 390 ? "dark" : "light" });
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    for (const place of ["", "?view=gates", "?view=check", "/REQ-0001"]) {
      await page.goto(`${plane.url}/p/hostile/proof${place}`);
      await page.getByText("onerror").first().waitFor();
      await fits(page);
      await accessible(page);
    }
    await shot(page, `proof-hostile-${width}`);
    for (const gate of ["contract", "unit"]) {
      await page.goto(`${plane.url}/p/hostile/proof/REQ-0001`);
      await page.getByRole("link", { name: `${gate}: evidence` }).click();
      await page.getByText(gate === "unit" ? "more on this line; download it to read on" : "<script>window.hit=1</script>").first().waitFor();
      await fits(page);
      await accessible(page);
      await shot(page, `proof-hostile-${gate}-${width}`);
    }
    expect(await page.evaluate(() => "hit" in window)).toBe(false);
    expect(await page.locator("main script, main iframe").count()).toBe(0);
    expect(asked.filter((url) => !url.startsWith(plane.url) && !url.startsWith("blob:"))).toEqual([]);
    expect(complaints).toEqual([]);
    await context.close();
  }
}, 120_000);

// A token that is taken back ends what it opened, also in a page that is open.
test("a token that is revoked while the page is open leads to the sign-in page, and back", async () => {
  // A plane that has counted no sign-ins yet: those of the tests before would be too many within a minute.
  await plane.down();
  await plane.up();
  // Its own at each try: a repository is made once.
  const key = `revoked-${Date.now().toString(36)}`;
  const shop = await plane.repository(key, ["unit"]);
  await shop.capture("Totals add up", "unit");
  const made = await plane.call<{ secret: string; id: string }>("POST", "/tokens", { label: "for a while", kind: "person", role: "admin" });
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints = listen(page);
  await page.goto(`${plane.url}/sign-in`);
  await page.getByLabel("Token").fill(made.secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${plane.url}/`);
  await page.goto(`${plane.url}/p/${key}/proof?sort=title`);
  await row(page, "REQ-0001").waitFor();
  await page.locator("[data-live=live]").waitFor();
  await plane.call("DELETE", `/tokens/${made.id}`).catch(() => undefined);
  await page.getByRole("heading", { name: "Sign in to Proofhouse" }).waitFor();
  // However many questions were refused at once: one way back, to where the person was.
  expect(new URL(page.url()).searchParams.get("next")).toBe(`/p/${key}/proof?sort=title`);
  await page.getByLabel("Token").fill(await plane.token());
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${plane.url}/p/${key}/proof?sort=title`);
  await row(page, "REQ-0001").waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

// The checkout is gone: what is known stays, what cannot be known says so, and a run names the cause.
test("a project whose folder is gone", async () => {
  const shop = await plane.repository("gone", ["unit"]);
  await shop.capture("Totals add up", "unit");
  await shop.ended(await shop.start());
  const elsewhere = path.join(await mkdtemp(path.join(tmpdir(), "proofhouse-gone-")), "shop");
  await rename(shop.folder, elsewhere);
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/gone/proof`);
  await row(page, "REQ-0001").getByText("Satisfied").waitFor();
  await page.getByRole("link", { name: /Merge gate.*Cannot tell/ }).click();
  await page.getByRole("alert").filter({ hasText: "Cannot tell whether it may be merged" }).getByText(/PH-\d+/).waitFor();
  await shot(page, "proof-gone-1440");
  await accessible(page);
  await page.getByRole("link", { name: "Gates", exact: true }).click();
  await page.getByRole("button", { name: "Run gates", exact: true }).click();
  await page.getByText("The run could not do its work").or(page.getByText("No run was started:")).first().waitFor();
  await accessible(page);
  await shot(page, "proof-gone-run-1440");
  // It was moved, not lost: saying where it is mends it.
  await page.goto(`${plane.url}/p/gone/settings`);
  await page.getByLabel("Folder").fill(elsewhere);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved").waitFor();
  await page.goto(`${plane.url}/p/gone/proof`);
  await page.getByRole("link", { name: /Merge gate.*Clear/ }).waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

// W10, P82: hundreds of requirements are a few rows in the document, and readers know how many there are.
test("a long list is virtual, is searched and comes as it is scrolled", async () => {
  await plane.repository("long", ["unit"]);
  const rules = [{ gate: "unit", how: "suite" }];
  for (let from = 0; from < 620; from += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, at) => plane.call("POST", "/projects/long/proof/requirements", { title: `Requirement number ${from + at} holds`, description: "d", gates: ["unit"], rules })));
  }
  const { page, context } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/long/proof`);
  const table = page.getByRole("table", { name: "Requirements of long" });
  await row(page, "REQ-0001").waitFor();
  expect(await table.getAttribute("aria-rowcount")).toBe("621");
  expect(await table.getByRole("row").count()).toBeLessThan(80);
  await page.getByRole("searchbox", { name: "Search requirements" }).fill("number 599");
  await page.getByText("1 found").waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByText("620 in all").waitFor();
  await row(page, "REQ-0001").getByRole("link").focus();
  await table.evaluate((element) => element.parentElement?.scrollTo({ top: 1e6 }));
  await row(page, "REQ-0620").waitFor();
  await accessible(page);
  await sleep(50);
  await shot(page, "proof-long-1440");
  await context.close();
}, 120_000);
