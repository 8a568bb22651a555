import { spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, fits, openBrowser, shot, signedIn } from "./browser";
import { Plane } from "./plane";

let plane: Plane;
let browser: Browser;
const processes: ChildProcess[] = [];

beforeAll(async () => {
  [plane, browser] = await Promise.all([Plane.start(), openBrowser()]);
  await plane.repository("shop", ["unit"], { agents: ["robot"] });
});

afterAll(async () => {
  for (const one of processes) one.kill("SIGKILL");
  await browser.close();
  await plane.end();
});

/** A worker on the wire: paired, and silent but for what a test says. */
async function paired(code: string, name: string): Promise<(place: string, body: unknown, generation?: number) => Promise<unknown>> {
  const post = async (place: string, body: unknown, headers: Record<string, string>) => {
    const response = await fetch(`${plane.url}/api/v1${place}`, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${place}: ${response.status} ${await response.text()}`);
    return (await response.json()) as unknown;
  };
  const agents = [{ id: "robot", version: "1.0.0", healthy: true }, { id: "claude", version: "2.1.197", healthy: true }, { id: "codex", healthy: false, detail: "not signed in" }];
  const { token } = (await post("/workers/pair", { code, name, platform: "linux x86_64", version: "0.1.0", protocol: 1, slots: 2, labels: ["gpu"], agents }, {})) as { token: string };
  return (place, body, generation) => post(place, body, { authorization: `Bearer ${token}`, ...(generation === undefined ? {} : { "lease-generation": String(generation) }) });
}

// W27, section 18: an empty plane says how to begin; a code becomes the worker that used it.
test("a worker is paired by the dialog's command", async () => {
  const { page, context, complaints } = await signedIn(browser, plane);
  await page.goto(`${plane.url}/p/shop/runs`);
  await page.getByRole("heading", { name: "No run yet" }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("w");
  await page.getByRole("heading", { name: "Workers", level: 1 }).waitFor();
  await page.getByRole("heading", { name: "No worker on another machine yet" }).waitFor();
  await accessible(page);
  await shot(page, "workers-empty-1440");
  await page.getByRole("button", { name: "Pair a worker" }).first().click();
  await page.getByRole("textbox", { name: "Name" }).fill("den");
  await accessible(page);
  await page.getByRole("button", { name: "Make a code" }).click();
  const command = await page.getByLabel("Command", { exact: true }).textContent();
  expect(command).toMatch(/^proofhouse worker pair http:\/\/127\.0\.0\.1:\d+ [0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}$/);
  await page.getByText(/good once, for (9|10):\d\d more/).waitFor();
  await accessible(page);
  await shot(page, "workers-code-1440");
  const state = path.join(plane.root, "den");
  await plane.cli(...(command ?? "").split(" ").slice(1), "--state", state);
  await page.getByRole("heading", { name: "Paired" }).waitFor();
  await accessible(page);
  await page.getByRole("button", { name: "Done" }).click();
  const card = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "den" }) });
  await card.getByText("Online").waitFor();
  await card.getByText("Idle.").waitFor();
  // The real process says what it is.
  const binary = process.env.PROOFHOUSE_BINARY ?? path.resolve("../target/debug/proofhouse");
  processes.push(spawn(binary, ["worker", "run", "--state", state, "--agent", "shell=/bin/true", "--label", "attic"], { stdio: "ignore" }));
  await card.getByText("attic").waitFor();
  await card.getByText("shell").waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

// D66, D68, D69, D60: what it does shows live; revoking names what it stops, and takes it at once.
test.each([["light", 1440], ["dark", 390]] as const)("work shows as it goes, and ends by a revocation, in the %s theme at %i px", async (theme, width) => {
  const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
  const name = `attic-${theme}`;
  const { code } = await plane.call<{ code: string }>("POST", "/workers/pairings", { sharing: "project" });
  await page.goto(`${plane.url}/workers`);
  await page.getByRole("heading", { name: "Workers", level: 1 }).waitFor();
  const call = await paired(code, name);
  const card = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name }) });
  await card.getByText("Online").waitFor();
  await card.getByText("not signed in").waitFor();
  // An agent that only this worker has.
  const issue = await plane.call<{ id: string }>("POST", "/projects/shop/issues", { title: `Shine in ${theme}` });
  const { run } = await plane.call<{ run: string }>("POST", "/projects/shop/runs", { kind: "dispatch", issue: issue.id, config: { role: "implementer", agent: "robot" } });
  const { tasks } = (await call("/worker/claim", { claim_id: `c-${theme}`, queues: ["agent"], labels: ["gpu"], protocol: 1, slots: 2, wait_s: 20 })) as { tasks: { task: string; generation: number }[] };
  const task = tasks[0];
  if (task === undefined) throw new Error(`no task came: ${JSON.stringify(await plane.call("GET", `/runs/${run}`))}`);
  const phase = (what: string, id: string) => call(`/worker/tasks/${task.task}/entries`, { entries: [{ client_id: id, kind: "task.phase", data: { task: task.task, phase: what } }] }, task.generation);
  await phase("preparing", "1");
  await card.getByText("preparing").waitFor();
  await phase("polishing", "2");
  await card.getByText("polishing").waitFor();
  await card.getByRole("link", { name: /^dispatch/ }).waitFor();
  await accessible(page);
  await fits(page);
  await shot(page, `workers-busy-${theme}-${width}`);
  if (width === 390) {
    await card.getByRole("button", { name: `What to do with ${name}` }).click();
    await accessible(page);
    await page.getByRole("menuitem", { name: "Revoke" }).click();
  } else {
    await card.getByRole("button", { name: `Revoke ${name}` }).click();
  }
  await page.getByText("The task it holds stops there and goes to another worker.").waitFor();
  await accessible(page);
  await shot(page, `workers-revoke-${theme}-${width}`);
  await page.getByRole("button", { name: "Revoke it" }).click();
  await card.waitFor({ state: "detached" });
  await page.getByRole("button", { name: /^Show \d+ revoked$/ }).click();
  await card.getByText("Revoked").waitFor();
  // What was left waits for another worker that has the agent.
  expect((await plane.call<{ waiting_for?: { reason: string } | null }>("GET", `/runs/${run}`)).waiting_for).toBeTruthy();
  await plane.call("POST", `/runs/${run}/cancel`, {});
  expect(complaints).toEqual([]);
  await context.close();
});

// W9, W10: many workers use the width that there is, and are found by a word.
test.each([["dark", 390], ["light", 1440], ["light", 2560]] as const)("two hundred workers are looked through, in the %s theme at %i px", async (theme, width) => {
  const { page, context, complaints } = await signedIn(browser, plane, { theme, width });
  const many = (real: Record<string, unknown>) => Array.from({ length: 200 }, (_, at) => ({
    ...real, id: `00000000-0000-7000-8000-${String(at).padStart(12, "0")}`, name: `builder-${at}${at % 17 === 0 ? "-with-a-rather-long-name-as-machines-have" : ""}`, owner: "00000000-0000-7000-8000-000000000000",
    state: ["online", "late", "offline", "draining"][at % 4], offers: ["gpu", "zone:north"], agents: [{ id: "claude", version: "2.1.197", healthy: true }, { id: "codex", healthy: false, detail: "not signed in" }],
  }));
  await page.route("**/api/v1/workers?*", async (route) => {
    const told = (await (await route.fetch()).json()) as { items: Record<string, unknown>[] };
    await route.fulfill({ json: { ...told, items: many(told.items[0] ?? {}) } });
  });
  await page.goto(`${plane.url}/workers`);
  await page.getByText("200 shown").waitFor();
  // Beside one another where there is room.
  const tops = await page.getByRole("list", { name: "Workers" }).evaluate((list) => [...list.children].slice(0, 6).map((card) => Math.round(card.getBoundingClientRect().top)));
  expect(tops.filter((top) => top === tops[0]).length).toBe(width === 2560 ? 3 : 1);
  await shot(page, `workers-many-${theme}-${width}`);
  await accessible(page);
  await fits(page);
  await page.getByRole("searchbox", { name: "Search workers" }).fill("builder-137");
  await page.getByText("1 shown").waitFor();
  await page.getByRole("heading", { name: "builder-137" }).waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

// W3: a refusal has its code and a retry that retries.
test("a list that could not be loaded says so and is asked for again", async () => {
  const { page, context } = await signedIn(browser, plane);
  let broken = true;
  await page.route("**/api/v1/workers?*", (route) => (broken ? route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify({ code: "PH-1014", title: "t", detail: "the store cannot be reached", hint: "", status: 503 }) }) : route.continue()));
  await page.goto(`${plane.url}/workers`);
  await page.getByRole("alert").getByText("the store cannot be reached").waitFor();
  await accessible(page);
  await shot(page, "workers-failed-1440");
  broken = false;
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByRole("list", { name: "Workers" }).waitFor();
  await context.close();
});
