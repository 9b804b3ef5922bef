/** The servers that the official client's cases are tried on: ours, and the unmodified official one for Node. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

import { Server } from "../../../../tests/support/server.mjs";
import { mintToken, SECRET } from "../../../../tests/support/token.mjs";

const OFFICIAL = fileURLToPath(new URL("../../../../tests/support/yardstick.mjs", import.meta.url));

/** The official server with the events of the first protocol version, on one port from one run to the next. */
class Official {
  #child;
  #env;

  constructor(port, env) {
    this.port = port;
    this.#env = { ...process.env, BMT_AUTH__JWT_SECRET: SECRET, BMT_HTTP__ALLOWED_ORIGINS: "*", ...env };
  }

  static async start(t, env) {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address();
    probe.close();
    await once(probe, "close");
    const server = new Official(port, env);
    t.after(() => server.kill());
    await server.run();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.#child.pid;
  }

  token(claims) {
    return mintToken(claims);
  }

  async run() {
    const args = [OFFICIAL, String(this.port)];
    this.#child = spawn(process.execPath, args, { env: this.#env, stdio: ["ignore", "pipe", "inherit"] });
    await once(this.#child.stdout, "data");
  }

  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

/** By name, how each is started with settings of ours. */
export const SERVERS = {
  "our server": (t, env = {}) => Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0", ...env }),
  "the official server": (t, env = {}) => Official.start(t, env),
};
