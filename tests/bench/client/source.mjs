/** Whoever publishes what the pages receive: a connection outside of the browser, which costs the pages nothing. */
import { WebSocket } from "ws";

/** How often it looks at the clock, ms. */
const TICK_MS = 10;
/** After a pause of this machine it catches up no faster than so many times its pace. */
const MOST_CATCH_UP = 4;

export class Source {
  #socket;
  #asked = 0;
  #stored = 0;

  static async open(scope, server) {
    const source = new Source();
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
    source.#socket = socket;
    scope.after(() => socket.terminate());
    await new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("the server closed the publisher's connection")));
      socket.on("message", (data) => source.#take(String(data), server, resolve));
    });
    return source;
  }

  #take(frame, server, connected) {
    if (frame === "2") this.#socket.send("3");
    else if (frame.startsWith("0")) {
      this.#socket.send(`40${JSON.stringify({ token: `Bearer ${server.token({ sub: "source" })}` })}`);
    } else if (frame.startsWith('42["connected"')) connected();
    else if (frame.startsWith("43")) {
      if (!frame.includes('"status":"success"')) throw new Error(`a publish was refused: ${frame}`);
      this.#stored++;
    }
  }

  /** Publishes `{n, text}` of `bytes` for every n from `first` on, `count` of them, so many a second. */
  async send(topic, { first = 1, count, bytes, perSecond }) {
    const began = performance.now();
    const most = Math.max(1, (MOST_CATCH_UP * perSecond * TICK_MS) / 1_000);
    for (let sent = 0; sent < count; ) {
      const due = Math.min(count, Math.floor(((performance.now() - began) * perSecond) / 1_000) + 1);
      for (const end = Math.min(due, sent + most); sent < end; sent++) this.#publish(topic, first + sent, bytes);
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    await this.#allStored();
  }

  /** Publishes at an even pace until `signal` is aborted; answers how many. */
  async keepSending(topic, { bytes, perSecond, signal }) {
    let n = 0;
    const began = performance.now();
    while (!signal.aborted) {
      while (n <= ((performance.now() - began) * perSecond) / 1_000) this.#publish(topic, ++n, bytes);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await this.#allStored();
    return n;
  }

  #publish(topic, n, bytes) {
    const body = JSON.stringify({ topic, payload: payload(n, bytes) });
    this.#socket.send(`42${++this.#asked}["publish",${body}]`);
  }

  async #allStored() {
    const end = performance.now() + 30_000;
    while (this.#stored < this.#asked) {
      if (performance.now() > end) throw new Error(`${this.#stored} of ${this.#asked} publishes were acked`);
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  }
}

const WORDS = "The quick brown fox jumps over the lazy dog. ".repeat(100);

/** A payload of so many bytes. */
export function payload(n, bytes) {
  const bare = JSON.stringify({ n, text: "" }).length;
  return { n, text: WORDS.slice(0, bytes - bare) };
}
