/** What the library below the Socket.IO endpoint would get wrong, seen from the official client (SPEC §4, §6). */
import assert from "node:assert/strict";
import { test } from "node:test";

import { io } from "socket.io-client";

import { PATIENCE_MS, collect, connect, history, next, request, succeed, within } from "../support/official.mjs";
import { RawClient } from "../support/raw.mjs";
import { Server } from "../support/server.mjs";

/** More than any buffer on the way holds at once, fewer than the inbound queue's bound. */
const MANY = 3_000;
const NO_PUBLISH_LIMIT = { BMT_LIMITS__PUBLISH_PER_SECOND: "0" };

async function until(holds, what) {
  const end = performance.now() + PATIENCE_MS;
  while (!holds()) {
    assert.ok(performance.now() < end, `waited ${PATIENCE_MS} ms for ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const transport of ["websocket", "polling"]) {
  test(`publishes fired without waiting are stored in send order over ${transport}`, async (t) => {
    const server = await Server.start(t, NO_PUBLISH_LIMIT);
    const socket = await connect(t, server, server.token(), { transports: [transport] });
    const acks = Array.from({ length: MANY }, (_, n) =>
      succeed(socket, "publish", { topic: "public:order", payload: n, messageId: `m${n}` }),
    );
    await Promise.all(acks);
    const { messages } = await history(socket, "public:order");
    assert.deepEqual(messages.map((message) => message.payload), Array.from({ length: MANY }, (_, n) => n));
  });
}

test("publishes fired without waiting are stored in send order over the raw endpoint", async (t) => {
  const server = await Server.start(t, NO_PUBLISH_LIMIT);
  const raw = await RawClient.connect(t, server, server.token());
  for (let n = 0; n < MANY; n++) raw.send("publish", { topic: "public:order", payload: n });
  await raw.frame((frame) => frame.type === "ack" && frame.data.seq === MANY, "the last ack");
  const reader = await connect(t, server, server.token({ sub: "reader" }));
  const { messages } = await history(reader, "public:order");
  assert.deepEqual(messages.map((message) => message.payload), Array.from({ length: MANY }, (_, n) => n));
});

test("publishes fired while polling upgrades to a WebSocket keep their order", async (t) => {
  const server = await Server.start(t, NO_PUBLISH_LIMIT);
  const socket = await connect(t, server, server.token(), { transports: ["polling", "websocket"] });
  const upgraded =
    socket.io.engine.transport.name === "websocket"
      ? Promise.resolve()
      : new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
  const acks = Array.from({ length: 500 }, (_, n) =>
    succeed(socket, "publish", { topic: "public:order", payload: n }),
  );
  await Promise.all(acks);
  await within(upgraded, "the upgrade");
  const { messages } = await history(socket, "public:order");
  assert.deepEqual(messages.map((message) => message.payload), Array.from({ length: 500 }, (_, n) => n));
});

test("what is sent right behind the connect packet is not lost", async (t) => {
  const server = await Server.start(t);
  for (let round = 0; round < 20; round++) {
    const socket = io(server.url, { auth: { token: server.token() }, transports: ["websocket"], forceNew: true });
    t.after(() => socket.disconnect());
    // Emitted before the connection exists: the client sends them in the same breath as its connect packet's ack.
    const replies = [1, 2, 3].map((n) => request(socket, "publish", { topic: `public:early-${round}`, payload: n }));
    assert.deepEqual((await Promise.all(replies)).map((reply) => reply.seq), [1, 2, 3]);
    socket.disconnect();
  }
});

test("a malformed payload is answered at once, under its callback", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token());
  for (const [body, named] of [
    [{ topic: 5, payload: 1 }, "topic"],
    [{ topic: "public:chat" }, "payload"],
    ["just text", "object"],
    [null, "object"],
    [[1, 2], "object"],
    [{ topic: "public:chat", payload: 1, messageId: "" }, "messageId"],
    [{ topic: "public:chat", payload: 1, messageId: "x".repeat(65) }, "messageId"],
  ]) {
    const reply = await request(socket, "publish", body);
    assert.equal(reply.code, "invalid_message", JSON.stringify(body));
    assert.ok(reply.error.includes(named), `${reply.error} names ${named}`);
    assert.equal(reply.message, reply.error);
  }
  const nothing = await within(new Promise((resolve) => socket.emit("publish", resolve)), "an answer");
  assert.equal(nothing.code, "invalid_message");
  assert.equal((await request(socket, "no_such_event", {})).code, "invalid_message");
  assert.equal((await request(socket, "publish", { topic: "public:chat", payload: "x".repeat(70_000) })).code, "message_too_large");
  assert.equal((await request(socket, "subscribe", { topic: "public:chat" })).status, "success", "the connection stays");
});

test("after two polls at once the official client comes back and recovers what it missed", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token(), { transports: ["polling"] });
  const topic = "public:chat";
  const { epoch } = await succeed(socket, "subscribe", { topic });
  const inbox = collect(socket, topic);
  const writer = await connect(t, server, server.token({ sub: "w" }));
  await succeed(writer, "publish", { topic, payload: "before" });
  await inbox.until(1);

  const away = next(socket, "disconnect");
  const back = next(socket, "connected");
  // The client's own poll waits, or comes in a moment and is the second: either way two of them end the session.
  const poll = `${server.url}/socket.io/?EIO=4&transport=polling&sid=${socket.io.engine.id}`;
  await within(fetch(poll), "the second poll's answer");
  await away;
  await succeed(writer, "publish", { topic, payload: "meanwhile" });
  const again = await back;
  assert.notEqual(again.connectionId, socket.hello.connectionId);
  const recovered = await succeed(socket, "subscribe", { topic, since: { seq: 1, epoch } });
  assert.equal(recovered.recovered, true);
  assert.deepEqual(recovered.messages.map((message) => message.payload), ["meanwhile"]);
  await succeed(writer, "publish", { topic, payload: "after" });
  const live = await inbox.until(2);
  assert.deepEqual(live.map((message) => message.seq), [1, 3]);
});

test("over ten sessions that a second poll ends the official client misses nothing and sees nothing twice", async (t) => {
  const server = await Server.start(t, NO_PUBLISH_LIMIT);
  const topic = "public:chat";
  const writer = await connect(t, server, server.token({ sub: "w" }));
  const reader = await connect(t, server, server.token({ sub: "r" }), { transports: ["polling"] });
  const { epoch } = await succeed(reader, "subscribe", { topic });
  const seen = [];
  const recoveries = [];
  reader.on("message", (message) => seen.push(message));
  reader.on("connected", () => {
    const since = { seq: seen.at(-1)?.seq ?? 0, epoch };
    // No promise: what comes live right behind the answer would overtake it.
    reader.emit("subscribe", { topic, since }, (reply) => {
      recoveries.push(reply.recovered);
      seen.push(...reply.messages);
    });
  });

  const acked = [];
  const write = async (count) => {
    for (; count > 0; count--) {
      const payload = acked.length;
      acked.push((await succeed(writer, "publish", { topic, payload, messageId: `m${payload}` })).seq);
    }
  };
  const missing = () => `message ${acked.length} (${seen.at(-1)?.seq} came)`;
  const isWhole = () => seen.at(-1)?.seq === acked.length;
  for (let round = 1; round <= 10; round++) {
    await write(5);
    // Its poll waits then: a second one ends the session, and takes no message with it.
    await until(isWhole, missing);
    const away = next(reader, "disconnect");
    await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&sid=${reader.io.engine.id}`);
    await away;
    await write(5);
    await until(() => recoveries.length === round, () => `recovery ${round}`);
  }
  await until(isWhole, missing);

  const inOrder = Array.from({ length: acked.length }, (_, n) => n + 1);
  assert.deepEqual(acked, inOrder, "acks have a seq each, in the order of publishing");
  assert.deepEqual(seen.map((message) => message.seq), inOrder, "each message once, in order, over every session");
  assert.deepEqual(seen.map((message) => message.payload), inOrder.map((seq) => seq - 1));
  assert.deepEqual(recoveries, Array(10).fill(true));
});

test("without a callback the reply is the event ack", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token());
  let answer = next(socket, "ack");
  socket.emit("subscribe", { topic: "public:chat", messageId: "s" });
  assert.deepEqual({ id: (await answer).id, status: (await answer).status }, { id: "s", status: "success" });
  answer = next(socket, "ack");
  socket.emit("publish", { topic: "private:x", payload: 1, messageId: "p", ackRequired: false });
  assert.deepEqual({ id: (await answer).id, code: (await answer).code }, { id: "p", code: "permission_denied" });
});

test("a burst larger than the library's buffer reaches a subscriber whole", async (t) => {
  const server = await Server.start(t, NO_PUBLISH_LIMIT);
  const writer = await connect(t, server, server.token({ sub: "w" }));
  const reader = await connect(t, server, server.token({ sub: "r" }));
  await succeed(reader, "subscribe", { topic: "public:burst" });
  const inbox = collect(reader, "public:burst");
  await Promise.all(
    Array.from({ length: MANY }, (_, n) => succeed(writer, "publish", { topic: "public:burst", payload: n })),
  );
  const messages = await inbox.until(MANY);
  assert.deepEqual(messages.map((message) => message.seq), Array.from({ length: MANY }, (_, n) => n + 1));
});

test("publishing above the limit is refused with when to come again", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token());
  const replies = await Promise.all(
    Array.from({ length: 300 }, (_, n) => request(socket, "publish", { topic: "public:chat", payload: n })),
  );
  const refused = replies.filter((reply) => reply.code === "rate_limited");
  assert.ok(refused.length >= 100, `${refused.length} of 300 were refused`);
  assert.ok(refused.every((reply) => reply.retryAfterMs > 0));
  assert.ok(replies.filter((reply) => reply.status === "success").length >= 100, "the burst is let through");
});
