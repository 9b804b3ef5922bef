/** A WebSocket proxy in front of a server that changes what the server says, or says something of its own. */
import { once } from "node:events";

import { WebSocket, WebSocketServer } from "ws";

export class Meddler {
  #server;
  #open = new Set();
  /** What becomes of a text frame on its way to the client: the frames that take its place. */
  change = (text) => [text];
  /** Connections that were ever made. */
  connections = 0;

  /** A proxy in front of `port`, there until the test ends. */
  static async before(t, port) {
    const meddler = new Meddler();
    meddler.#server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    meddler.#server.on("connection", (near, { url }) => meddler.#pass(near, new WebSocket(`ws://127.0.0.1:${port}${url}`)));
    await once(meddler.#server, "listening");
    t.after(() => (meddler.end(), meddler.#server.close()));
    return meddler;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Says something to every client. */
  say(frame) {
    for (const near of this.#open) near.send(frame);
  }

  /** Ends every connection: with a close frame without a code, or without any. */
  end(politely = false) {
    for (const near of this.#open) politely ? near.close() : near.terminate();
  }

  #pass(near, far) {
    this.connections++;
    this.#open.add(near);
    const early = [];
    near.on("message", (data, binary) => {
      const frame = binary ? data : String(data);
      if (far.readyState === WebSocket.OPEN) far.send(frame);
      else early.push(frame);
    });
    far.on("open", () => early.forEach((frame) => far.send(frame)));
    far.on("message", (data, binary) => {
      for (const frame of binary ? [data] : this.change(String(data))) near.send(frame);
    });
    for (const [one, two] of [[near, far], [far, near]]) {
      one.on("error", () => two.terminate());
      one.on("close", () => (this.#open.delete(near), two.terminate()));
    }
  }
}
