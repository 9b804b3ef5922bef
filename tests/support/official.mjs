/** The official client, unmodified, with promises around what the tests wait for. */
import { io } from "socket.io-client";

/** How long a test waits for anything before it fails, in ms. */
export const PATIENCE_MS = 10_000;

/** Connects and waits for the event `connected`. `options` go to the official client as they are. */
export async function connect(t, server, token, options = {}) {
  const socket = io(server.url, {
    auth: { token: `Bearer ${token}` },
    transports: ["websocket"],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 500,
    ...options,
  });
  t.after(() => socket.disconnect());
  const connected = next(socket, "connected");
  const refused = new Promise((_, reject) => socket.once("connect_error", reject));
  socket.hello = await Promise.race([connected, refused]);
  socket.off("connect_error");
  return socket;
}

/** Resolves with the first argument of the next event of that name. */
export function next(socket, event) {
  return within(new Promise((resolve) => socket.once(event, resolve)), `the event ${event}`);
}

/** Sends a request and resolves with what its callback is called with, whether success or failure. */
export function request(socket, event, body) {
  return within(new Promise((resolve) => socket.emit(event, body, resolve)), `the answer to ${event}`);
}

/** The same, failing unless the request succeeded. */
export async function succeed(socket, event, body) {
  const reply = await request(socket, event, body);
  if (reply.status !== "success") throw new Error(`${event}: ${JSON.stringify(reply)}`);
  return reply;
}

/** Collects messages of a topic; `until(n)` waits for that many. */
export function collect(socket, topic) {
  const messages = [];
  let wake = () => {};
  socket.on("message", (message) => {
    if (message.topic !== topic) return;
    messages.push(message);
    wake();
  });
  return {
    messages,
    until: (count) =>
      within(
        new Promise((resolve) => {
          wake = () => messages.length >= count && resolve(messages);
          wake();
        }),
        () => `${count} messages of ${topic} (${messages.length} came)`,
        30_000,
      ),
  };
}

/** Reads a channel's whole history, page by page. */
export async function history(socket, topic) {
  const messages = [];
  for (;;) {
    const page = await succeed(socket, "history", { topic, after: messages.at(-1)?.seq ?? 0, limit: 200 });
    messages.push(...page.messages);
    if (!page.hasMore) return { messages, seq: page.seq, epoch: page.epoch };
  }
}

/** Fails with a sentence when a promise takes too long. */
export function within(promise, what, ms = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`waited ${ms} ms for ${typeof what === "function" ? what() : what}`)),
      ms,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
