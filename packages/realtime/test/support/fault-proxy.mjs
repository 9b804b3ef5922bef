/** The proxy of `tests/faultproxy` in front of a server: a network that does what it is told. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export class FaultProxy {
  #process;
  #lines;

  /** A proxy in front of `port`, there until the test ends. It is built beside the server. */
  static async before(t, port, seed = 7) {
    const binary = process.env.BMT_SERVER_BIN.replace(/bmt-server(?=(\.exe)?$)/, "bmt-faultproxy");
    const proxy = new FaultProxy();
    proxy.#process = spawn(binary, [`127.0.0.1:${port}`, String(seed)], { stdio: ["pipe", "pipe", "inherit"] });
    proxy.#lines = createInterface({ input: proxy.#process.stdout })[Symbol.asyncIterator]();
    t.after(async () => {
      proxy.#process.stdin.end();
      if (proxy.#process.exitCode === null) await once(proxy.#process, "exit");
    });
    proxy.url = `http://${(await proxy.#lines.next()).value}`;
    return proxy;
  }

  /** Says one of the words of `bmt-faultproxy`; answers how many connections that ended. */
  async say(words) {
    this.#process.stdin.write(`${words}\n`);
    const { value } = await this.#lines.next();
    const [, ended] = /^ok (\d+)$/.exec(value ?? "") ?? [];
    if (ended === undefined) throw new Error(`the proxy answered ${value}`);
    return Number(ended);
  }
}
