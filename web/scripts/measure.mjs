// Measures the page on a real plane and prints one line a figure, beside its target. By hand, on a quiet
// machine: `node scripts/measure.mjs [only...]`, after `npm run build` and `cargo build --release -p proofhouse-cli`;
// `only` are names of the parts below. `PROOFHOUSE_BINARY` names another build.
import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = (place) => fileURLToPath(new URL(`../../${place}`, import.meta.url));
const BINARY = process.env.PROOFHOUSE_BINARY ?? here("target/release/proofhouse");
const only = process.argv.slice(2);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (name, figure, target, held) => process.stdout.write(`${held ? "held  " : "MISSED"} ${name}: ${figure} (target ${target})\n`);
const ends = [];

/** A server on a data folder of its own with a project whose policy lets its gates run. */
async function start(gates, script, ...more) {
  const root = await folder();
  const place = await repository(root, gates, script);
  const env = { ...process.env, PROOFHOUSE_DATA: path.join(root, "data"), NO_COLOR: "1" };
  const child = spawn(BINARY, ["serve", "--listen", "127.0.0.1:0", ...more], { env, stdio: ["pipe", "pipe", "ignore"] });
  ends.push(() => child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout });
  const first = await new Promise((resolve) => lines.once("line", resolve));
  const url = /http:\/\/[\d.:]+/.exec(first)[0];
  const token = (await readFile(path.join(root, "data", "local.token"), "utf8")).trim();
  const call = async (method, place, body, more = {}) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", ...more };
    const response = await fetch(`${url}/api/v1${place}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!response.ok) throw new Error(`${method} ${place}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const cli = (...args) => execFileSync(BINARY, args, { env, cwd: place });
  cli("project", "add", place, "--key", "shop");
  const policy = path.join(root, "policy.json");
  await writeFile(policy, JSON.stringify({ allowed_paths: { "*": ["."] }, agents: ["m"], commands: [{ program: "./gate", decision: "allow" }] }));
  cli("-p", "shop", "project", "policy", "--edit", policy);
  cli("-p", "shop", "proof", "capture", "--title", "All hold", ...gates.flatMap((gate) => ["--suite", gate]));
  return { url, call };
}

async function folder() {
  const made = await mkdtemp(path.join(os.tmpdir(), "proofhouse-measure-"));
  ends.push(() => rm(made, { recursive: true, force: true }));
  return made;
}

async function repository(root, gates, script) {
  const place = path.join(root, "shop");
  execFileSync("git", ["init", "-q", "-b", "main", place]);
  await writeFile(path.join(place, "proofhouse.toml"), gates.map((gate) => `[proof.gates.${gate}]\nrunner = "command"\nargv = ["./gate", "${gate}"]\n`).join("\n"));
  await writeFile(path.join(place, "gate"), script, { mode: 0o755 });
  for (const args of [["add", "-A"], ["-c", "user.email=m@example.org", "-c", "user.name=m", "commit", "-qm", "start"]]) execFileSync("git", args, { cwd: place });
  return place;
}

async function signedIn(browser, plane, look = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...look });
  const page = await context.newPage();
  const { path: place } = await plane.call("POST", "/sign-in-links", {});
  await page.goto(plane.url + place);
  await page.waitForURL(`${plane.url}/`);
  return { context, page };
}

const quantile = (list, part) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * part))];

/** Scrolls an element up and down and answers the frames' lengths. */
const scrolling = (selector) => async (page, ms) =>
  page.locator(selector).first().evaluate(async (box, until) => {
    const frames = [];
    let last = performance.now();
    const begin = last;
    while (last - begin < until) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const now = performance.now();
      frames.push(now - last);
      last = now;
      const at = (now - begin) / until;
      // Slowly, a page at a time, and in leaps, as a hand on the bar.
      box.scrollTop = at < 0.4 ? box.scrollTop + 60 : at < 0.7 ? box.scrollTop + 900 : Math.abs(Math.sin(at * 90)) * box.scrollHeight;
    }
    return frames.slice(2);
  }, ms);

function sayFrames(name, frames) {
  const worst = Math.max(...frames);
  say(name, `worst frame ${worst.toFixed(0)} ms, p95 ${quantile(frames, 0.95).toFixed(1)} ms, ${frames.length} frames`, "none over 50 ms", worst <= 50);
}

const parts = {
  async size() {
    const dist = here("web/dist");
    const html = await readFile(path.join(dist, "index.html"), "utf8");
    const names = [...html.matchAll(/(?:src|href)="\/?(assets\/[^"]+\.js)"/g)].map((match) => match[1]);
    let sum = 0;
    for (const name of new Set(names)) sum += (await readFile(path.join(dist, `${name}.br`))).length;
    const chunks = (await readdir(path.join(dist, "assets"))).filter((name) => name.endsWith(".js")).length;
    say("shell script, compressed", `${(sum / 1000).toFixed(1)} kB of ${names.length} files, ${chunks} chunks in all`, "250 kB", sum <= 250_000);
  },

  async paint(browser, real) {
    const { context, page } = await signedIn(browser, real);
    const times = [];
    for (let at = 0; at < 7; at += 1) {
      // An empty cache each time.
      const client = await context.newCDPSession(page);
      await client.send("Network.clearBrowserCache");
      await page.goto(`${real.url}/`, { waitUntil: "load" });
      await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
      times.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
    }
    await context.close();
    say("first contentful paint on loopback, cold cache", `median ${quantile(times, 0.5).toFixed(0)} ms`, "300 ms", quantile(times, 0.5) <= 300);
  },

  async gates(browser, real) {
    const { context, page } = await signedIn(browser, real, { viewport: { width: 1440, height: 2000 } });
    const delays = [];
    for (let round = 0; round < 3; round += 1) {
      const { run } = await real.call("POST", "/projects/shop/runs", { kind: "proof", config: {} });
      await page.goto(`${real.url}/p/shop/runs/${run}`);
      await page.evaluate(() => {
        window.seen = {};
        const look = () => {
          for (const row of document.querySelectorAll("[role=row]")) {
            const gate = /REQ-0001 (g[a-p])/.exec(row.textContent)?.[1];
            if (gate !== undefined && row.textContent.startsWith("passed") && window.seen[gate] === undefined) window.seen[gate] = performance.timeOrigin + performance.now();
          }
          requestAnimationFrame(look);
        };
        look();
      });
      const early = await page.evaluate(() => Object.keys(window.seen));
      await page.waitForFunction((count) => Object.keys(window.seen).length >= count, GATES.length, { timeout: 60_000 });
      const seen = await page.evaluate(() => window.seen);
      const journal = await real.call("GET", `/runs/${run}/entries?kind=command.output&limit=1000`);
      const said = new Map(journal.items.flatMap((entry) => [...entry.data.text.matchAll(/(g[a-p]) ended (\d+)/g)].map((match) => [match[1], Number(match[2]) / 1e6])));
      const commands = await real.call("GET", `/runs/${run}/commands?limit=100`);
      for (const command of commands.items) {
        const gate = command.argv.at(-1);
        const ended = said.get(gate) ?? Number(/ended (\d+)/.exec(await (await fetchText(real, `/runs/${run}/commands/${command.task}/output`)))?.[1]) / 1e6;
        if (!early.includes(gate)) delays.push(seen[gate] - ended);
      }
      while ((await real.call("GET", `/runs/${run}`)).finished_at === null) await sleep(50);
    }
    await context.close();
    const p95 = quantile(delays, 0.95);
    say("a gate's end in the page, after its process ended", `p50 ${quantile(delays, 0.5).toFixed(0)} ms, p95 ${p95.toFixed(0)} ms of ${delays.length}`, "100 ms", p95 <= 100);
  },

  async log(browser, real) {
    const { context, page } = await signedIn(browser, real);
    const bytes = Buffer.alloc(50_000_000);
    for (let at = 0, line = 0; at < bytes.length; line += 1) at += bytes.write(`test suite::case_${line} ... ok, and some words beside it\n`, at);
    const { items } = await real.call("GET", "/projects/shop/runs?active=false&limit=1");
    const run = items[0].id;
    const commands = await real.call("GET", `/runs/${run}/commands?limit=1`);
    await page.route("**/commands/*/output", async (route) => {
      const [from, to] = route.request().headers().range.slice(6).split("-").map(Number);
      const part = bytes.subarray(from, Math.min(bytes.length, to + 1));
      await route.fulfill({ status: 206, headers: { "content-range": `bytes ${from}-${from + part.length - 1}/${bytes.length}`, "content-type": "text/plain" }, body: part });
    });
    await page.goto(`${real.url}/p/shop/runs/${run}?span=command:${commands.items[0].task}/1`);
    const begin = Date.now();
    await page.getByText(/lines, 50 MB/).waitFor({ timeout: 60_000 });
    const read = Date.now() - begin;
    sayFrames("a log of 50 MB, scrolled", await scrolling("[role=region][aria-label$=text]")(page, 6_000));
    await page.getByRole("button", { name: "Wrap" }).click();
    sayFrames("the same, wrapped", await scrolling("[role=region][aria-label$=text]")(page, 6_000));
    const asked = Date.now();
    await page.getByLabel("Search the text").fill("case_800000 ");
    await page.getByRole("status").filter({ hasText: /^1$/ }).waitFor({ timeout: 30_000 });
    process.stdout.write(`       read through in ${read} ms, searched to its end in ${Date.now() - asked} ms\n`);
    await context.close();
  },

  async journal(browser) {
    // The measurement is the one worker that has its agent: it takes the task and writes its journal.
    const plane = await start(["unit"], "#!/bin/sh\n");
    const { code } = await plane.call("POST", "/workers/pairings", { sharing: "project" });
    const agents = [{ id: "m", version: "1.0.0", healthy: true }];
    const { token } = await plane.call("POST", "/workers/pair", { code, name: "m", platform: "linux", version: "0.1.0", protocol: 1, slots: 1, labels: [], agents });
    const worker = { authorization: `Bearer ${token}` };
    const issue = await plane.call("POST", "/projects/shop/issues", { title: "Measured" });
    const { run } = await plane.call("POST", "/projects/shop/runs", { kind: "dispatch", issue: issue.id, config: { role: "implementer", agent: "m" } });
    const { tasks } = await plane.call("POST", "/worker/claim", { claim_id: randomUUID(), queues: ["agent"], labels: [], protocol: 1, slots: 1, wait_s: 20 }, worker);
    const held = [{ task: tasks[0].task, generation: tasks[0].generation }];
    let number = 0;
    let beat = Date.now();
    const append = async (count) => {
      await plane.call("POST", `/worker/tasks/${held[0].task}/entries`, {
        entries: Array.from({ length: count }, () => ({ kind: (number += 1) % 10 === 0 ? "note" : "probe.entry", level: number % 50 === 0 ? "warning" : "info", data: { n: number, text: `entry number ${number}` } })),
      }, { ...worker, "lease-generation": String(held[0].generation) });
      if (Date.now() - beat < 8_000) return;
      beat = Date.now();
      await plane.call("POST", "/worker/heartbeat", { held }, worker);
    };
    for (let at = 0; at < 100; at += 1) await append(1_000);
    const { context, page } = await signedIn(browser, plane);
    const begin = Date.now();
    await page.goto(`${plane.url}/p/shop/runs/${run}?view=journal`);
    await page.getByText(/100,0\d\d entries/).waitFor({ timeout: 60_000 });
    process.stdout.write(`       100,000 entries told in ${Date.now() - begin} ms\n`);
    await page.getByRole("button", { name: "Follow", exact: true }).click();
    sayFrames("a journal of 100,000 entries, scrolled", await scrolling("div:has(> [role=table][aria-label=Journal])")(page, 6_000));
    // An hour at 50 entries a second, in a minute and a half: 180,000.
    await page.getByRole("button", { name: "Follow", exact: true }).click();
    const client = await context.newCDPSession(page);
    await client.send("Performance.enable");
    const heap = async () => {
      await client.send("HeapProfiler.collectGarbage");
      const { metrics } = await client.send("Performance.getMetrics");
      return metrics.find((metric) => metric.name === "JSHeapUsedSize").value / 1e6;
    };
    const sizes = [];
    for (let minute = 0; minute < 60; minute += 1) {
      if (minute % 10 === 0) sizes.push(await heap());
      for (let second = 0; second < 12; second += 1) {
        await append(250);
        await sleep(60);
      }
    }
    sizes.push(await heap());
    await page.getByText(/280,0\d\d entries/).waitFor({ timeout: 60_000 });
    const growth = sizes.at(-1) - sizes[1];
    say("memory over an hour of 50 entries/s", `${sizes.map((size) => size.toFixed(1)).join(", ")} MB`, "flat: 3 MB for 150,000 entries", growth <= 3);
    await context.close();
  },
};

// No digits: the page writes the duration right behind the name.
const GATES = Array.from({ length: 16 }, (_, at) => `g${String.fromCharCode(97 + at)}`);
const SCRIPT = `#!/bin/sh\nn=$(printf %d "'\${1#g}")\nsleep 1.$((n * 7 % 10))$((n % 10))\necho "$1 ended $(date +%s%N)"\n`;

async function fetchText(plane, place) {
  const { path: link } = await plane.call("POST", "/sign-in-links", {});
  const signed = await fetch(plane.url + link);
  const cookie = signed.headers.getSetCookie()[0].split(";")[0];
  return (await fetch(`${plane.url}/api/v1${place}`, { headers: { cookie } })).text();
}

const wanted = (name) => only.length === 0 || only.includes(name);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"], headless: true });
try {
  if (wanted("size")) await parts.size();
  if (["paint", "gates", "log"].some(wanted)) {
    const real = await start(GATES, SCRIPT);
    if (wanted("paint")) await parts.paint(browser, real);
    if (wanted("gates") || wanted("log")) await parts.gates(browser, real);
    if (wanted("log")) await parts.log(browser, real);
  }
  if (wanted("journal")) await parts.journal(browser);
} finally {
  await browser.close();
  for (const end of ends.reverse()) await end();
}
