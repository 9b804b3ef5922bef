/**
 * One real server process per test: started from the binary named by BMT_SERVER_BIN, in a data directory of
 * its own, on a free port, killed when the test ends.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { IS_YARDSTICK } from "./cases.mjs";
import { mintToken, SECRET } from "./token.mjs";

/** Password of the accounts that dev mode creates. */
export const PASSWORD = "correct horse battery staple";

/** The official Node server, where `BMT_SERVER_KIND=node` asks for it. */
const YARDSTICK = fileURLToPath(new URL("yardstick.mjs", import.meta.url));

/** How long a start may take before the test fails, in ms. */
const START_MS = 20_000;

export class Server {
  #process;
  #output = "";
  #environment;

  constructor(dataDir, port, environment) {
    this.dataDir = dataDir;
    this.port = port;
    this.#environment = environment;
  }

  /** Starts a server. `env` adds settings, such as `{ BMT_LIMITS__PUBLISH_PER_SECOND: "0" }`. */
  static async start(t, env = {}) {
    const dataDir = await mkdtemp(path.join(tmpdir(), "bmt-it-"));
    const server = new Server(dataDir, await freePort(), env);
    t.after(async () => {
      await server.kill();
      await rm(dataDir, { recursive: true, force: true });
    });
    await server.run();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.#process.pid;
  }

  /** Everything the process wrote so far. */
  get output() {
    return this.#output;
  }

  /** Runs the process on the same data directory and port as before, and waits until it listens. */
  async run() {
    const [binary, args] = this.#command();
    this.#process = spawn(binary, args, {
      env: {
        ...process.env,
        BMT_DEV_PASSWORD: PASSWORD,
        BMT_AUTH__JWT_SECRET: SECRET,
        ...this.#environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const child = this.#process;
    child.stderr.on("data", (text) => (this.#output += text));
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not listening after ${START_MS} ms:\n${this.#output}`)), START_MS);
      child.stdout.on("data", (text) => {
        this.#output += text;
        if (this.#output.includes("listening on http://")) {
          clearTimeout(late);
          resolve();
        }
      });
      child.once("exit", (code, signal) => {
        clearTimeout(late);
        reject(new Error(`the server ended with ${code ?? signal}:\n${this.#output}`));
      });
    });
    this.#output = "";
  }

  #command() {
    if (IS_YARDSTICK) return [process.execPath, [YARDSTICK, String(this.port)]];
    const binary = process.env.BMT_SERVER_BIN;
    if (!binary) throw new Error("BMT_SERVER_BIN names no server: run `cargo xtask test`");
    return [binary, ["serve", "--dev", "--port", String(this.port), "--data-dir", this.dataDir]];
  }

  /** Ends the process without giving it a chance to do anything. */
  async kill() {
    await this.#end("SIGKILL");
  }

  /** Lets the process stand still, and waits until every thread of it does. */
  async freeze() {
    process.kill(this.pid, "SIGSTOP");
    const threads = `/proc/${this.pid}/task`;
    const stands = async (thread) => /\) [Tt] /.test(await readFile(`${threads}/${thread}/stat`, "utf8"));
    const all = async () => (await Promise.all((await readdir(threads)).map(stands))).every(Boolean);
    while (!(await all())) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Lets it go on. */
  thaw() {
    process.kill(this.pid, "SIGCONT");
  }

  /** Asks the process to stop; answers with how long that took in ms and the exit code. */
  async stop() {
    const began = performance.now();
    const code = await this.#end("SIGTERM");
    return { ms: performance.now() - began, code };
  }

  async #end(signal) {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode;
    const ended = once(child, "exit");
    child.kill(signal);
    const [code] = await ended;
    return code;
  }

  /** Logs an account of dev mode in; answers with the body of SPEC §2. */
  async login(username, password = PASSWORD) {
    const response = await fetch(`${this.url}/api/v1/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username, password }),
    });
    if (!response.ok) throw new Error(`login: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** A token as an application's own back end would issue it. */
  token(claims) {
    return mintToken(claims);
  }
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}
