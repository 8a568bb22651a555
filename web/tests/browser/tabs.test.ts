import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane, type Repository } from "./plane";

let plane: Plane;
let browser: Browser;
let shop: Repository;

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  shop = await plane.repository("shop", ["unit", "slow"]);
  await shop.capture("Totals add up", "unit", "slow");
  await shop.capture("Baskets are emptied", "unit");
});

afterAll(async () => {
  await browser.close();
  await plane.end();
});

interface Heard {
  type: "messages" | "status";
  list?: { type: string; stream: string; entry?: { kind: string; data: Record<string, unknown> } }[];
}

/** Writes down what each tab of a browser hears from the worker that they share. */
async function listening(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const heard: unknown[] = [];
    Object.assign(window, { heard });
    const Real = SharedWorker;
    globalThis.SharedWorker = class extends Real {
      constructor(url: string | URL, options?: string | WorkerOptions) {
        super(url, options);
        this.port.addEventListener("message", (event) => heard.push(event.data));
      }
    };
  });
}

/** The facts of a project that a tab has heard of a run, in order. */
const facts = (page: Page, run: string) =>
  page.evaluate((id) => {
    const { heard } = window as unknown as { heard: Heard[] };
    const entries = heard.flatMap((words) => words.list ?? []).filter((message) => message.stream.startsWith("project:") && message.entry?.data.run === id);
    return entries.map(({ entry }) => (entry?.kind === "run.status" ? `${entry.kind} ${String(entry.data.to)}` : (entry?.kind ?? "")));
  }, run);

const live = (page: Page) => page.locator("[data-live=live]").waitFor();

// X61, X57, W1: a tab that looks at something else hears each fact of a run, also while another tab follows it closely.
test("each of two tabs hears every fact, whatever the other one does", async () => {
  await shop.gate("slow", "wait two", "exit 0");
  const { page: first, context } = await signedIn(browser, plane);
  await listening(context);
  await first.goto(`${plane.url}/p/shop/settings`);
  await live(first);
  const second = await context.newPage();
  await second.goto(`${plane.url}/p/shop/runs`);
  await live(second);
  const run = await shop.start();
  const going = ["run.created", "run.status running"];
  for (const page of [first, second]) await expect.poll(() => facts(page, run), { timeout: 15_000 }).toEqual(going);
  // It looks closer, loads anew, and goes: each makes another connection.
  await second.goto(`${plane.url}/p/shop/runs/${run}`);
  await live(second);
  await second.close();
  const third = await context.newPage();
  await third.goto(`${plane.url}/p/shop/proof`);
  await live(third);
  await shop.let("two");
  await shop.ended(run);
  await expect.poll(() => facts(first, run), { timeout: 15_000 }).toEqual([...going, "run.finished"]);
  await expect.poll(async () => (await facts(third, run)).at(-1), { timeout: 15_000 }).toBe("run.finished");
  await context.close();
});

/** A browser whose notifications are written down, and whose tabs are not looked at unless a test says so. */
async function noting(context: BrowserContext, permission: NotificationPermission): Promise<void> {
  await context.addInitScript((before) => {
    const noted: { title: string; body: string; tag: string }[] = [];
    const state = { noted, asked: 0, looked: false };
    Object.assign(window, { state });
    document.hasFocus = () => state.looked;
    class Fake extends EventTarget {
      static get permission(): string {
        return localStorage.getItem("test-permission") ?? before;
      }
      static requestPermission(): Promise<string> {
        state.asked += 1;
        localStorage.setItem("test-permission", "granted");
        return Promise.resolve("granted");
      }
      constructor(title: string, { body = "", tag = "" }: NotificationOptions = {}) {
        super();
        noted.push({ title, body, tag });
      }
    }
    Object.assign(window, { Notification: Fake });
  }, permission);
}

interface Noting {
  noted: { title: string; body: string; tag: string }[];
  asked: number;
  looked: boolean;
}
const state = (page: Page) => page.evaluate(() => (window as unknown as { state: Noting }).state);
const look = (page: Page, looked: boolean) =>
  page.evaluate((now) => {
    (window as unknown as { state: Noting }).state.looked = now;
    dispatchEvent(new Event(now ? "focus" : "blur"));
  }, looked);

// P81: leave is asked for by a press alone; of several tabs one tells; one for each failed gate of a run, none for what is
// unproven, and none while somebody looks.
test("of several tabs one tells of a gate that fails, once, and the titles count what waits", async () => {
  const { page: first, context } = await signedIn(browser, plane, { theme: "dark" });
  await noting(context, "default");
  await first.goto(`${plane.url}/p/shop/settings?tab=notifications`);
  await first.getByLabel("What needs a person").check();
  expect((await state(first)).asked).toBe(0);
  await accessible(first);
  await shot(first, "settings-notifications-dark-1440");
  await first.getByRole("button", { name: "Allow notifications" }).click();
  await first.getByText("This browser shows notifications of this page").waitFor();
  expect((await state(first)).asked).toBe(1);
  await first.setViewportSize({ width: 390, height: 844 });
  await fits(first);

  const second = await context.newPage();
  await second.goto(`${plane.url}/p/shop/runs`);
  await live(second);
  const noted = async () => (await Promise.all([first, second].map(state))).flatMap((one) => one.noted);
  await shop.gate("unit", "say no", "exit 1");
  await shop.gate("slow", "exit 0");
  const failed = await shop.start();
  await shop.ended(failed);
  await expect.poll(noted, { timeout: 15_000 }).toHaveLength(1);
  const told = await noted();
  expect(told[0]).toMatchObject({ title: "shop: unit failed", tag: `gate:${failed}/unit` });
  // Both requirements failed in it. What failed waits for a person: every title says so.
  await expect.poll(() => Promise.all([first, second].map((page) => page.title())), { timeout: 15_000 }).toEqual([expect.stringMatching(/^\(1\) Notifications/), expect.stringMatching(/^\(1\) Runs/)]);

  // Whoever looks at one of the tabs sees it there.
  await look(second, true);
  await shop.ended(await shop.start());
  await second.getByRole("row").nth(3).waitFor();
  expect(await noted()).toHaveLength(1);
  await look(second, false);
  // The one that told goes; another does it from then on, and old news is no news.
  await first.close();
  await shop.gate("unit", "exit 0");
  await shop.ended(await shop.start());
  await expect.poll(() => second.title(), { timeout: 15_000 }).toMatch(/^Runs/);
  expect((await state(second)).noted).toEqual([]);
  await shop.gate("slow", "exit 1");
  const again = await shop.start();
  await shop.ended(again);
  await expect.poll(async () => (await state(second)).noted.at(-1)?.tag, { timeout: 15_000 }).toBe(`gate:${again}/slow`);
  await context.close();
});
