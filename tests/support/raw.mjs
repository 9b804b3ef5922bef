/** A minimal client of `/api/v1/ws` over the npm package `ws`. */
import WebSocket from "ws";

import { within } from "./official.mjs";

export class RawClient {
  frames = [];
  #waiting = [];
  #calls = 0;

  /** Opens the socket; `query` and `protocols` are the test's own. */
  constructor(t, server, { query = "", protocols = [] } = {}) {
    this.socket = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/ws?protocol=1.0${query}`, protocols);
    this.closed = new Promise((resolve) =>
      this.socket.once("close", (code, reason) => resolve({ code, reason: String(reason) })),
    );
    this.socket.on("error", () => {});
    this.socket.on("message", (data) => [JSON.parse(data)].flat().forEach((frame) => this.#take(frame)));
    t.after(() => this.socket.terminate());
  }

  /** Connects with a token by subprotocol and waits for the `connect` frame. */
  static async connect(t, server, token) {
    const client = new RawClient(t, server, { protocols: ["bmt.v1", `bearer.${token}`] });
    client.hello = await client.frame((frame) => frame.type === "connect");
    return client;
  }

  #take(frame) {
    this.frames.push(frame);
    this.#waiting = this.#waiting.filter(({ matches, resolve }) => !matches(frame) || resolve(frame));
  }

  /** The first frame, past or future, for which `matches` holds. */
  frame(matches, what = String(matches)) {
    const past = this.frames.find(matches);
    if (past) return Promise.resolve(past);
    return within(
      new Promise((resolve) => this.#waiting.push({ matches, resolve: (frame) => void resolve(frame) })),
      what,
    );
  }

  /** Sends a frame without waiting; answers with its `messageId`. */
  send(type, data) {
    const messageId = `call_${++this.#calls}`;
    this.socket.send(JSON.stringify({ type, data, timestamp: Date.now(), messageId }));
    return messageId;
  }

  /** Sends a request and resolves with the frame that answers it. */
  request(type, data) {
    const messageId = this.send(type, data);
    const answers = (frame) => ["ack", "error"].includes(frame.type) && frame.messageId === messageId;
    return this.frame(answers, `the answer to ${type}`);
  }
}
