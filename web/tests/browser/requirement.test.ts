import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane } from "./plane";

let plane: Plane;
let browser: Browser;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  await plane.repository("shop", ["unit", "e2e"]);
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

/** Captures a requirement; answers its id. */
async function captured(body: Record<string, unknown>): Promise<string> {
  const rules = [{ gate: "unit", how: "suite" }];
  const { id } = await plane.call<{ id: string }>("POST", "/projects/shop/proof/requirements", { gates: ["unit"], rules, description: "d", ...body });
  return id;
}

async function at(id: string, look: Parameters<typeof signedIn>[2] = {}) {
  const tab = await signedIn(browser, plane, look);
  await tab.page.goto(`${plane.url}/p/shop/proof/${id}`);
  await panel(tab.page, id).waitFor();
  return tab;
}

const panel = (page: Page, id: string) => page.getByRole("region", { name: `Requirement ${id}` });

const WRITTEN = `A basket that was emptied keeps its old total.

## Seen

1. put *two* things in
2. take both out

- [x] on the phone
- [ ] on the desk

\`\`\`rust
assert_eq!(basket.total(), 0); // ${"a line that is wider than the panel ".repeat(6)}
\`\`\`

| basket | total |
|:--|--:|
| empty | **14** |

> It was right before, see https://example.org/pull/7.

![a picture](https://example.org/picture.png) and [the log](https://example.org/log)`;

describe("a description", () => {
  // P10, W11, W42: Markdown is drawn, and nothing in it is more than text, form and links.
  test.each([["light", 1440], ["dark", 390]] as const)("is drawn as Markdown, in the %s theme at %i px", async (theme, width) => {
    const id = await captured({ title: `Empty baskets cost nothing (${theme})`, description: WRITTEN });
    const { page, context, complaints } = await at(id, { theme, width });
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const here = panel(page, id);
    await here.getByRole("heading", { name: "Seen", level: 3 }).waitFor();
    expect(await here.getByRole("listitem").filter({ hasText: "put two things in" }).locator("em").count()).toBe(1);
    await here.getByText("Done: ").waitFor({ state: "attached" });
    await here.getByRole("cell", { name: "14" }).waitFor();
    const away = here.getByRole("link", { name: "image: a picture" });
    expect([await away.getAttribute("rel"), await away.getAttribute("target")]).toEqual(["noopener noreferrer", "_blank"]);
    expect(await here.locator("img").count()).toBe(0);
    await accessible(page);
    await fits(page);
    await shot(page, `requirement-markdown-${theme}-${width}`);
    expect(asked.filter((url) => !url.startsWith(plane.url))).toEqual([]);
    expect(complaints).toEqual([]);
    await context.close();
  });

  // W42: each way of Markdown to be more than text, in the page.
  test("that is hostile does nothing", async () => {
    const evil = [
      "<img src=x onerror=\"window.hit=1\">", "<script>window.hit=1</script>", "[one](javascript:window.hit=1)", "[two](data:text/html,<script>window.hit=1</script>)",
      "![three](http://203.0.113.1/x.png)", "<https://example.org/\"onmouseover=\"window.hit=1>", "four \u202egnp.exe", `| ${"wide ".repeat(60)} | b |\n|--|--|\n| ${"W".repeat(400)} | 1 |`,
      `${"> ".repeat(30)}deep`, `${"- ".repeat(40)}deeper`, `\`\`\`<b>\n${"x".repeat(3_000)}\n\`\`\``, "&lt;img src=x onerror=window.hit=1&gt;",
    ];
    const ids = await Promise.all([captured({ title: "Hostile", description: evil.join("\n\n") }), captured({ title: "Hostile and flat", description: evil.filter((line) => !line.includes("deep")).join("\n\n") })]);
    for (const id of ids) {
      for (const width of [1440, 390]) {
        const { page, context, complaints } = await at(id, { width });
        const asked: string[] = [];
        page.on("request", (request) => asked.push(request.url()));
        const here = panel(page, id);
        await here.getByText("window.hit=1").first().waitFor();
        await here.getByText("four").first().waitFor();
        await fits(page);
        await accessible(page);
        await shot(page, `requirement-hostile-${id}-${width}`);
        expect(await here.locator("img, script, iframe, [onerror], [onmouseover]").count()).toBe(0);
        for (const link of await here.getByRole("link").all()) expect(await link.getAttribute("href")).toMatch(/^(https?:\/\/|\/p\/)/);
        expect(await page.evaluate(() => "hit" in window)).toBe(false);
        expect(asked.filter((url) => !url.startsWith(plane.url))).toEqual([]);
        expect(complaints).toEqual([]);
        await context.close();
      }
    }
  });
});

describe("an edit in place", () => {
  const read = (id: string) => plane.call<{ title: string; severity: string; description: string; revision: number; obligations: { gate: string }[] }>("GET", `/projects/shop/proof/requirements/${id}`);
  const patched = async (id: string, body: Record<string, unknown>) => {
    const { revision } = await read(id);
    const headers = { authorization: `Bearer ${await plane.token()}`, "content-type": "application/json", "if-match": String(revision) };
    const answer = await fetch(`${plane.url}/api/v1/projects/shop/proof/requirements/${id}`, { method: "PATCH", headers, body: JSON.stringify(body) });
    expect(answer.status).toBe(200);
  };
  const two = { gates: ["unit", "e2e"], rules: [{ gate: "unit", how: "suite" }, { gate: "e2e", how: "suite" }] };

  // P12, W6: what asks for less says so before it is saved, and needs a reason; everything else is saved as it is.
  test.each([["light", 1440], ["dark", 390]] as const)("changes texts, and says when it asks for less, in the %s theme at %i px", async (theme, width) => {
    const id = await captured({ title: `Sums are right (${theme})`, ...two });
    const { page, context, complaints } = await at(id, { theme, width });
    await page.keyboard.press("e");
    const sheet = page.getByRole("dialog", { name: `Edit ${id}` });
    const save = sheet.getByRole("button", { name: "Save" });
    expect(await save.getAttribute("aria-disabled")).toBe("true");
    await sheet.getByLabel("What must hold").fill("Sums are exact");
    await sheet.getByLabel("Where").fill("file: src/sum.rs");
    await save.click();
    await sheet.waitFor({ state: "detached" });
    await panel(page, id).getByText("Sums are exact").waitFor();
    await panel(page, id).getByText("src/sum.rs").waitFor();

    await page.getByRole("button", { name: "Edit", exact: true }).click();
    await sheet.getByRole("checkbox", { name: "e2e" }).uncheck();
    const less = sheet.getByRole("region", { name: "Less is asked for" });
    await less.getByText("the gate is no longer asked for").waitFor();
    const weaken = sheet.getByRole("button", { name: "Ask for less" });
    expect(await weaken.getAttribute("aria-disabled")).toBe("true");
    await accessible(page);
    await fits(page);
    await less.scrollIntoViewIfNeeded();
    await shot(page, `requirement-edit-${theme}-${width}`);
    expect((await read(id)).obligations).toHaveLength(2);
    await less.getByLabel("Why less is enough").fill("unit covers it");
    await weaken.click();
    await sheet.waitFor({ state: "detached" });
    expect((await read(id)).obligations.map(({ gate }) => gate)).toEqual(["unit"]);
    expect(complaints).toEqual([]);
    await context.close();
  });

  // P12: of two changes at once none is lost, and none is overwritten unseen.
  test("shows what somebody else changed meanwhile, and keeps both", async () => {
    const id = await captured({ title: "Both write", ...two });
    const { page, context } = await at(id);
    await page.keyboard.press("e");
    const sheet = page.getByRole("dialog", { name: `Edit ${id}` });
    await sheet.getByRole("textbox", { name: "What must hold" }).fill("Mine");
    await patched(id, { title: "Theirs", severity: "critical" });
    await sheet.getByRole("button", { name: "Save" }).click();
    const clash = sheet.getByRole("alert");
    await clash.getByText("Somebody else changed it while you were writing").waitFor();
    await clash.getByText("Theirs", { exact: true }).waitFor();
    expect(await sheet.getByRole("textbox", { name: "What must hold" }).inputValue()).toBe("Mine");
    expect(await sheet.getByLabel("Severity", { exact: true }).inputValue()).toBe("critical");
    await accessible(page);
    await shot(page, "requirement-edit-conflict-1440");
    await clash.getByRole("button", { name: "Take theirs" }).click();
    expect(await sheet.getByRole("textbox", { name: "What must hold" }).inputValue()).toBe("Theirs");
    await sheet.getByRole("textbox", { name: "What must hold" }).fill("Ours");
    await clash.getByRole("button", { name: "Go on" }).click();
    await sheet.getByRole("button", { name: "Save" }).click();
    await sheet.waitFor({ state: "detached" });
    expect(await read(id)).toMatchObject({ title: "Ours", severity: "critical" });
    await context.close();
  });
});
