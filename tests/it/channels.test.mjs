/** Channels with the official client, over WebSocket and over polling: the journey of SPEC §4. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { collect, connect, history, next, request, succeed } from "../support/official.mjs";
import { Server } from "../support/server.mjs";

for (const transport of ["websocket", "polling"]) {
  test(`what one publishes the other gets with a seq from 1 over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const options = { transports: [transport] };
    const alice = await connect(t, server, server.token({ sub: "a", name: "Alice" }), options);
    const bob = await connect(t, server, server.token({ sub: "b", name: "Bob" }), options);
    const subscribed = await succeed(bob, "subscribe", { topic: "public:chat", messageId: "s1" });
    assert.equal(subscribed.id, "s1");
    assert.equal(subscribed.subscriberCount, 1);
    assert.equal(subscribed.seq, 0);

    const inbox = collect(bob, "public:chat");
    const payload = { type: "text", content: "你好, world", user: { id: "a" } };
    const first = await succeed(alice, "publish", { topic: "public:chat", payload, messageId: "p1" });
    const second = await succeed(alice, "publish", { topic: "public:chat", payload: 7, messageId: "p2" });
    assert.deepEqual([first.seq, second.seq, first.deliveredTo], [1, 2, 1]);

    const [message] = await inbox.until(2);
    assert.deepEqual(message, {
      id: first.messageId,
      topic: "public:chat",
      type: "event",
      payload,
      timestamp: message.timestamp,
      from: "a",
      seq: 1,
      clientMessageId: "p1",
    });
    assert.equal((await history(alice, "public:chat")).messages.length, 2);
    await succeed(bob, "unsubscribe", { topic: "public:chat" });
    assert.equal((await succeed(alice, "publish", { topic: "public:chat", payload: 8 })).deliveredTo, 0);
  });
}

test("who may not is refused, and a closed channel looks like an absent one", async (t) => {
  const server = await Server.start(t);
  const one = await connect(t, server, server.token({ sub: "1" }));
  for (const topic of ["private:team", "private:never-made", "user:12"]) {
    for (const [event, body] of [
      ["subscribe", { topic }],
      ["publish", { topic, payload: 1 }],
      ["history", { topic }],
      ["presence", { topic }],
    ]) {
      const reply = await request(one, event, { ...body, messageId: "m" });
      assert.deepEqual([reply.status, reply.code, reply.id], ["error", "permission_denied", "m"], `${event} ${topic}`);
    }
  }
  assert.equal((await request(one, "subscribe", { topic: "user:1" })).status, "success");
  assert.equal((await request(one, "subscribe", { topic: "nowhere:x" })).code, "channel_not_found");
  const holder = await connect(t, server, server.token({ sub: "2", permissions: ["channel:private:team:*"] }));
  assert.equal((await request(holder, "subscribe", { topic: "private:team:x" })).status, "success");
  assert.equal((await request(holder, "subscribe", { topic: "private:teams" })).code, "permission_denied");
});

test("a reader who was away gets exactly what was missed", async (t) => {
  const server = await Server.start(t);
  const writer = await connect(t, server, server.token({ sub: "w" }));
  const reader = await connect(t, server, server.token({ sub: "r" }));
  const { epoch } = await succeed(reader, "subscribe", { topic: "public:chat" });
  for (let n = 1; n <= 5; n++) await succeed(writer, "publish", { topic: "public:chat", payload: n });

  const back = await connect(t, server, server.token({ sub: "r" }));
  const recovered = await succeed(back, "subscribe", { topic: "public:chat", since: { seq: 2, epoch } });
  assert.equal(recovered.recovered, true);
  assert.deepEqual(recovered.messages.map((message) => [message.seq, message.payload]), [[3, 3], [4, 4], [5, 5]]);
  assert.equal(recovered.seq, 5);

  const ahead = await succeed(back, "subscribe", { topic: "public:chat", since: { seq: 9, epoch } });
  assert.deepEqual([ahead.recovered, ahead.reason, ahead.oldestSeq], [false, "position_ahead", 1]);
  const foreign = await succeed(back, "subscribe", { topic: "public:chat", since: { seq: 2, epoch: "other" } });
  assert.deepEqual([foreign.recovered, foreign.reason, foreign.messages.length], [false, "epoch_changed", 5]);
  const newest = await succeed(back, "subscribe", { topic: "public:chat", history: 2 });
  assert.deepEqual(newest.messages.map((message) => message.seq), [4, 5]);
});

test("the same messageId is published once", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token());
  const body = { topic: "public:chat", payload: { a: 1, b: 2 }, messageId: "once" };
  const first = await succeed(socket, "publish", body);
  const again = await succeed(socket, "publish", { ...body, payload: { b: 2, a: 1 } });
  assert.deepEqual([again.messageId, again.seq, again.duplicate], [first.messageId, first.seq, true]);
  const conflict = await request(socket, "publish", { ...body, payload: { a: 2 } });
  assert.equal(conflict.code, "idempotency_conflict");
  assert.equal((await history(socket, "public:chat")).messages.length, 1);
});

test("batches answer entry by entry, and one failure does not stop the rest", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token());
  const subscribed = await succeed(socket, "subscribe", {
    topics: [{ topic: "public:a" }, { topic: "private:x" }, { topic: "not valid" }, { topic: "public:b" }],
  });
  assert.deepEqual(
    subscribed.results.map((reply) => reply.code ?? reply.topic),
    ["public:a", "permission_denied", "invalid_message", "public:b"],
  );
  const inbox = collect(socket, "public:a");
  const published = await succeed(socket, "publish", {
    messages: [
      { topic: "public:a", payload: 1, messageId: "k1" },
      { topic: "private:x", payload: 2, messageId: "k2" },
      { topic: "public:a", payload: 3, messageId: "k3" },
    ],
  });
  assert.deepEqual(
    published.results.map((reply) => [reply.id, reply.status, reply.seq ?? reply.code]),
    [["k1", "success", 1], ["k2", "error", "permission_denied"], ["k3", "success", 2]],
  );
  assert.deepEqual((await inbox.until(2)).map((message) => message.payload), [1, 3]);
});

test("a signal reaches the others and is not kept", async (t) => {
  const server = await Server.start(t);
  const alice = await connect(t, server, server.token({ sub: "a" }));
  const bob = await connect(t, server, server.token({ sub: "b" }));
  for (const socket of [alice, bob]) await succeed(socket, "subscribe", { topic: "public:chat" });
  alice.on("signal", () => assert.fail("the sender does not get its own signal"));
  const signal = next(bob, "signal");
  alice.emit("signal", { topic: "public:chat", payload: { typing: true } });
  const { topic, from, payload } = await signal;
  assert.deepEqual({ topic, from, payload }, { topic: "public:chat", from: "a", payload: { typing: true } });
  assert.equal((await history(alice, "public:chat")).seq, 0);
});

test("presence counts a user once, however many connections it has", async (t) => {
  const server = await Server.start(t);
  const watcher = await connect(t, server, server.token({ sub: "w", name: "Watcher" }));
  await succeed(watcher, "subscribe", { topic: "public:room", presence: true });
  const joined = next(watcher, "presence");
  const [one, two] = await Promise.all([1, 2].map(() => connect(t, server, server.token({ sub: "b", name: "Bob" }))));
  for (const socket of [one, two]) await succeed(socket, "subscribe", { topic: "public:room" });
  const { action, user } = await joined;
  assert.deepEqual([action, user.userId, user.name], ["join", "b", "Bob"]);
  const { users, count } = await succeed(watcher, "presence", { topic: "public:room" });
  assert.equal(count, 2);
  assert.equal(users.find((present) => present.userId === "b").connections, 2);
  const left = next(watcher, "presence");
  one.disconnect();
  two.disconnect();
  assert.equal((await left).action, "leave");
});

test("a heartbeat is answered, with its own timestamp", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token());
  const answered = next(socket, "heartbeat_ack");
  socket.emit("heartbeat", { timestamp: 12_345 });
  assert.equal((await answered).timestamp, 12_345);
});

test("binary content arrives as binary", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token());
  await succeed(socket, "subscribe", { topic: "public:chat" });
  const inbox = collect(socket, "public:chat");
  await succeed(socket, "publish", { topic: "public:chat", payload: { name: "x", data: Buffer.from([1, 2, 255]) } });
  const [message] = await inbox.until(1);
  assert.deepEqual([...message.payload.data], [1, 2, 255]);
});
