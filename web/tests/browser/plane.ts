import { execFile, spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const BINARY = process.env.PROOFHOUSE_BINARY ?? fileURLToPath(new URL("../../../target/debug/proofhouse", import.meta.url));

/** A real server on a data folder of its own. */
export class Plane {
  readonly root: string;
  readonly url: string;
  #server: ChildProcess | null = null;

  private constructor(root: string, port: number) {
    this.root = root;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<Plane> {
    const root = await mkdtemp(path.join(os.tmpdir(), "proofhouse-web-"));
    const plane = new Plane(root, await freePort());
    await plane.up();
    return plane;
  }

  /** Starts the server, also again: on the same port and data. */
  async up(): Promise<void> {
    const ready = path.join(this.root, "ready");
    await rm(ready, { force: true });
    const listen = this.url.slice("http://".length);
    const server = spawn(BINARY, ["serve", "--listen", listen, "--ready-file", ready], { env: this.#env(), stdio: "ignore" });
    this.#server = server;
    for (let tries = 0; tries < 300; tries += 1) {
      if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}`);
      if ((await readFile(ready, "utf8").catch(() => "")) !== "") return;
      await sleep(50);
    }
    throw new Error("the server did not come up");
  }

  /** Ends the server: in order, or as a crash does. */
  async down(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server?.exitCode !== null) return;
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill(signal);
    await ended;
  }

  /** Declares this shell script as an agent of the plane's machine, such as `mine=command`; the server starts anew. */
  async declare(agent: string, script: string): Promise<void> {
    await this.down();
    const program = path.join(this.root, "agent.sh");
    await writeFile(program, script);
    await chmod(program, 0o755);
    await writeFile(path.join(this.root, "data", "agents"), `${agent}:${program}\n`, { mode: 0o600 });
    await this.up();
  }

  /** Ends it for good. */
  async end(): Promise<void> {
    await this.down("SIGKILL");
    await rm(this.root, { recursive: true, force: true });
  }

  /** The command line on this plane. */
  async cli(...args: string[]): Promise<string> {
    const { stdout } = await run(BINARY, ["--color", "never", ...args], { env: this.#env(), cwd: this.root });
    return stdout;
  }

  async token(): Promise<string> {
    return (await readFile(path.join(this.root, "data", "local.token"), "utf8")).trim();
  }

  /** A call of the API in the owner's name; a change of a document names the revision that it was read at. */
  async call<T>(method: string, place: string, body?: unknown, revision?: number): Promise<T> {
    const response = await fetch(`${this.url}/api/v1${place}`, {
      method,
      headers: { authorization: `Bearer ${await this.token()}`, "content-type": "application/json", ...(revision === undefined ? {} : { "if-match": String(revision) }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${place}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Writes a document of a project over whatever it is now. */
  async settings(project: string, document: "policy" | "budget", body: unknown): Promise<void> {
    const { revision } = await this.call<{ revision: number }>("GET", `/projects/${project}/settings/${document}`);
    await this.call("PUT", `/projects/${project}/settings/${document}`, body, revision);
  }

  async signInLink(): Promise<string> {
    const { path: place } = await this.call<{ path: string }>("POST", "/sign-in-links", {});
    return this.url + place;
  }

  /** A registered git repository whose gates do what files say. */
  async repository(key: string, gates: readonly string[], { policy: withPolicy = true, toml: more = "", agents = [] as readonly string[] } = {}): Promise<Repository> {
    const folder = path.join(this.root, key);
    await mkdir(folder);
    const toml = gates.map((gate) => `[proof.gates.${gate}]\nrunner = "command"\nargv = ["./gate", "${gate}"]\ntimeout_s = 60\n`);
    await writeFile(path.join(folder, "proofhouse.toml"), toml.join("\n") + more);
    await writeFile(path.join(folder, "gate"), GATE);
    await chmod(path.join(folder, "gate"), 0o755);
    for (const args of [["init", "-q", "-b", "main"], ["config", "user.email", "t@example.org"], ["config", "user.name", "t"], ["add", "-A"], ["commit", "-qm", "start"]]) {
      await run("git", args, { cwd: folder });
    }
    await this.cli("project", "add", folder, "--key", key);
    if (!withPolicy) return new Repository(this, key, folder);
    const policy = { allowed_paths: { "*": ["."] }, agents, commands: [{ program: "./gate", decision: "allow" }] };
    await this.call("PUT", `/projects/${key}/settings/policy`, policy).catch(async () => {
      const file = path.join(this.root, `${key}-policy.json`);
      await writeFile(file, JSON.stringify(policy));
      await this.cli("-p", key, "project", "policy", "--edit", file);
    });
    return new Repository(this, key, folder);
  }

  #env(): NodeJS.ProcessEnv {
    return { ...process.env, PROOFHOUSE_DATA: path.join(this.root, "data"), NO_COLOR: "1" };
  }
}

/**
 * A gate reads `NAME.do` in its repository when there is one, as a script: `say TEXT`, `wait FILE` (until
 * the file is there), `keep FILE AS` (in the folder for its results), `exit CODE`. It is read from the working tree, so a test steers a running gate.
 * the file is there), `lines COUNT`, `show FILE`, `exit CODE`. It is read from the working tree, so a test steers a running gate.
 */
const GATE = `#!/bin/sh
[ -f "$1.do" ] || { echo "gate $1 holds"; exit 0; }
while read -r verb rest; do
  case "$verb" in
    say) echo "$rest";;
    wait) n=0; while [ ! -e "$rest" ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done;;
    lines) seq 1 "$rest";;
    show) cat "$rest";;
    keep) mkdir -p "$2/$(dirname "\${rest#* }")"; cp "\${rest%% *}" "$2/\${rest#* }";;
    exit) exit "$rest";;
  esac
done < "$1.do"
`;

export class Repository {
  readonly plane: Plane;
  readonly key: string;
  readonly folder: string;

  constructor(plane: Plane, key: string, folder: string) {
    this.plane = plane;
    this.key = key;
    this.folder = folder;
  }

  /** What a gate does from now on. */
  async gate(name: string, ...steps: string[]): Promise<void> {
    await writeFile(path.join(this.folder, `${name}.do`), `${steps.join("\n")}\n`);
  }

  /** Lets a gate that waits for this file go on. */
  async let(file: string): Promise<void> {
    await writeFile(path.join(this.folder, file), "");
  }

  async capture(title: string, ...suites: string[]): Promise<void> {
    await this.plane.cli("-p", this.key, "proof", "capture", "--title", title, ...suites.flatMap((suite) => ["--suite", suite]));
  }

  async captureReview(title: string): Promise<void> {
    await this.plane.cli("-p", this.key, "proof", "capture", "--title", title, "--gate", "manual");
  }

  /** Starts a proof run; answers its id. */
  async start(config: Record<string, unknown> = {}): Promise<string> {
    const started = await this.plane.call<{ run: string }>("POST", `/projects/${this.key}/runs`, { kind: "proof", config });
    return started.run;
  }

  async ended(run: string, within = 20_000): Promise<{ status: string; verdict: string | null }> {
    for (const end = Date.now() + within; Date.now() < end; ) {
      const now = await this.plane.call<{ status: string; verdict: string | null; finished_at: string | null }>("GET", `/runs/${run}`);
      if (now.finished_at !== null) return now;
      await sleep(50);
    }
    throw new Error(`run ${run} did not end`);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
