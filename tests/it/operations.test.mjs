/** The operations of SPEC §4 beyond publish and subscribe, over Socket.IO and raw. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { collect, connect, next, request, succeed, within } from "../support/official.mjs";
import { RawClient } from "../support/raw.mjs";
import { Server } from "../support/server.mjs";

const TOPIC = "public:team";

/** Asks again and again until the answer is yes. */
function until(ask, what) {
  const asking = async () => {
    while (!(await ask())) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  return within(asking(), what);
}

test("read positions are told to the others and outlive a killed server", async (t) => {
  const server = await Server.start(t);
  const ann = await connect(t, server, server.token({ sub: "ann" }));
  const raw = await RawClient.connect(t, server, server.token({ sub: "rob" }));
  for (let n = 1; n <= 5; n++) await succeed(ann, "publish", { topic: TOPIC, payload: { n } });
  await succeed(ann, "subscribe", { topic: TOPIC });
  const before = await raw.request("subscribe", { topic: TOPIC });
  assert.deepEqual([before.data.readSeq, before.data.unread], [0, 5]);

  const receipt = next(ann, "receipt");
  const read = await raw.request("read", { topic: TOPIC, seq: 3 });
  assert.deepEqual([read.type, read.data.seq, read.data.unread], ["ack", 3, 2]);
  assert.deepEqual(await receipt, { topic: TOPIC, userId: "rob", seq: 3 });
  await succeed(ann, "read", { topic: TOPIC, seq: 99 });
  const heard = await raw.frame((frame) => frame.type === "receipt");
  assert.deepEqual(heard.data, { topic: TOPIC, userId: "ann", seq: 5 });

  await server.kill();
  await server.run();
  const rob = await connect(t, server, server.token({ sub: "rob" }));
  const after = await succeed(rob, "subscribe", { topic: TOPIC, readers: true });
  assert.deepEqual([after.readSeq, after.unread], [3, 2]);
  assert.deepEqual(after.readers, [
    { userId: "ann", seq: 5 },
    { userId: "rob", seq: 3 },
  ]);
  const back = await succeed(rob, "read", { topic: TOPIC, seq: 1 });
  assert.equal(back.seq, 3, "a position never moves back");
});

test("who may not read a channel has no position there", async (t) => {
  const server = await Server.start(t);
  const ann = await connect(t, server, server.token({ sub: "ann" }));
  const refused = await request(ann, "read", { topic: "user:bob", seq: 1 });
  assert.equal(refused.code, "permission_denied");
});

test("messages are edited, reacted to and deleted by their author", async (t) => {
  const server = await Server.start(t);
  const ann = await connect(t, server, server.token({ sub: "ann" }));
  const raw = await RawClient.connect(t, server, server.token({ sub: "rob" }));
  await raw.request("subscribe", { topic: TOPIC });
  const publish = (payload) => ({ topic: TOPIC, payload });
  const { messageId: target } = await succeed(ann, "publish", publish({ type: "text", content: "helo" }));

  const refused = await raw.request("publish", publish({ type: "edit", target, content: "mine" }));
  assert.deepEqual([refused.type, refused.data.details.code], ["error", "permission_denied"]);
  const malformed = await request(ann, "publish", publish({ type: "delete" }));
  assert.deepEqual([malformed.code, /target/.test(malformed.error)], ["invalid_message", true]);

  await succeed(ann, "publish", publish({ type: "edit", target, content: "hello" }));
  const reaction = await raw.request("publish", publish({ type: "reaction", target, emoji: "👍" }));
  assert.equal(reaction.data.seq, 3);
  const live = await raw.frame((frame) => frame.sequence === 2);
  assert.deepEqual(live.data, { type: "edit", target, content: "hello" });

  await server.kill();
  await server.run();
  const bob = await connect(t, server, server.token({ sub: "bob" }));
  const { messages, seq } = await succeed(bob, "history", { topic: TOPIC });
  assert.equal(seq, 3);
  assert.deepEqual(messages[0].payload, { type: "text", content: "hello" });
  assert.deepEqual(messages[0].reactions, { "👍": ["rob"] });
  assert.ok(messages[0].edited >= messages[0].timestamp);
  assert.deepEqual(messages[1].payload, { type: "edit", target, content: "hello" });

  const again = await connect(t, server, server.token({ sub: "ann" }));
  await succeed(again, "publish", publish({ type: "delete", target }));
  const after = await succeed(bob, "subscribe", { topic: TOPIC, history: 50 });
  assert.deepEqual([after.messages[0].payload, after.messages[0].deleted], [{}, true]);
  assert.equal(after.messages[0].reactions, undefined);
  assert.ok(!JSON.stringify(after.messages).includes("hello"), "its edits are emptied with it");
  const late = await request(again, "publish", publish({ type: "edit", target, content: "back" }));
  assert.equal(late.code, "invalid_operation");
});

test("outside chat namespaces an edit is a message like any other", async (t) => {
  const server = await Server.start(t);
  const ann = await connect(t, server, server.token({ sub: "ann" }));
  const payload = { type: "edit", target: "nothing" };
  const reply = await succeed(ann, "publish", { topic: "document:1:changes", payload });
  assert.equal(reply.seq, 1);
});

test("a repeated publish is answered as the first was", async (t) => {
  const server = await Server.start(t);
  const ann = await connect(t, server, server.token({ sub: "ann" }));
  await succeed(ann, "subscribe", { topic: TOPIC });
  const message = { topic: TOPIC, payload: { n: 1 }, messageId: "once" };
  const first = await succeed(ann, "publish", message);
  const again = await succeed(ann, "publish", message);
  assert.deepEqual(again, { ...first, duplicate: true });
  assert.equal(first.deliveredTo, 1);
});

test("filters skip messages and say what they skipped, on both transports", async (t) => {
  const server = await Server.start(t);
  const ann = await connect(t, server, server.token({ sub: "ann" }));
  const raw = await RawClient.connect(t, server, server.token({ sub: "rob" }));
  const wanted = { topic: TOPIC, params: { room: "a" } };
  const { epoch } = await succeed(ann, "subscribe", wanted);
  await raw.request("subscribe", wanted);
  const live = collect(ann, TOPIC);
  for (const room of ["a", "b", "b", "a"]) await succeed(ann, "publish", { topic: TOPIC, payload: { room } });
  const messages = await live.until(2);
  assert.deepEqual(
    messages.map(({ seq, prev }) => [seq, prev]),
    [
      [1, undefined],
      [4, 1],
    ],
  );
  const frame = await raw.frame((frame) => frame.sequence === 4);
  assert.equal(frame.prev, 1);
  const recovered = await succeed(ann, "subscribe", { ...wanted, since: { seq: 0, epoch } });
  assert.deepEqual(
    recovered.messages.map(({ seq, prev }) => [seq, prev]),
    [
      [1, undefined],
      [4, 1],
    ],
  );
});

test("an expired message is delivered to nobody who comes late", async (t) => {
  const server = await Server.start(t);
  const ann = await connect(t, server, server.token({ sub: "ann" }));
  await succeed(ann, "publish", { topic: TOPIC, payload: 1, ttl: 50 });
  await succeed(ann, "publish", { topic: TOPIC, payload: 2 });
  const newest = () => succeed(ann, "history", { topic: TOPIC });
  await until(async () => (await newest()).messages.length === 1, "the first message to expire");
  assert.deepEqual([(await newest()).messages[0].seq, (await newest()).seq], [2, 2]);
  const { epoch } = await succeed(ann, "subscribe", { topic: TOPIC });
  const recovered = await succeed(ann, "subscribe", { topic: TOPIC, since: { seq: 0, epoch } });
  assert.equal(recovered.recovered, true);
  assert.deepEqual(
    recovered.messages.map(({ seq, prev }) => [seq, prev]),
    [[2, 0]],
  );
});

test("a notification reaches who is there as an event and waits for who is not", async (t) => {
  const server = await Server.start(t);
  const topic = "user:bob";
  const bob = await connect(t, server, server.token({ sub: "bob" }));
  const { seq, epoch } = await succeed(bob, "subscribe", { topic });
  const raw = await RawClient.connect(t, server, server.token({ sub: "bob" }));
  await raw.request("subscribe", { topic });
  const admin = await connect(t, server, server.token({ sub: "root", role: "admin" }));
  const payload = { type: "notification", level: "warning", title: "Disk", message: "almost full" };
  const notified = next(bob, "notification");
  const { messageId } = await succeed(admin, "publish", { topic, payload });
  const { timestamp, ...notification } = await notified;
  assert.deepEqual(notification, { id: messageId, ...payload });
  assert.ok(timestamp > 0);
  const frame = await raw.frame((frame) => frame.type === "notification");
  assert.deepEqual([frame.data, frame.sequence], [payload, 1]);
  // What a user writes is a message and no notice of the server.
  const own = collect(bob, topic);
  let forged = false;
  bob.on("notification", () => (forged = true));
  await succeed(bob, "publish", { topic, payload });
  await own.until(1);
  assert.equal(forged, false);

  bob.disconnect();
  await succeed(admin, "publish", { topic, payload: { ...payload, message: "full" } });
  await server.kill();
  await server.run();
  const back = await connect(t, server, server.token({ sub: "bob" }));
  const inbox = await succeed(back, "subscribe", { topic, since: { seq, epoch } });
  assert.equal(inbox.recovered, true);
  assert.deepEqual(
    inbox.messages.map((message) => message.payload.message),
    ["almost full", "almost full", "full"],
  );
  assert.equal(inbox.unread, 2, "the own one is not unread");
  const ann = await connect(t, server, server.token({ sub: "ann" }));
  assert.equal((await request(ann, "subscribe", { topic })).code, "permission_denied");
});

/** Heartbeats that run out within a second, ms. */
const HURRIED = { BMT_HEARTBEAT__INTERVAL_MS: "400", BMT_HEARTBEAT__TIMEOUT_MS: "300" };

test("who falls silent is gone when the heartbeat has run out, and not later", async (t) => {
  const server = await Server.start(t, HURRIED);
  const ann = await connect(t, server, server.token({ sub: "ann" }));
  await succeed(ann, "subscribe", { topic: TOPIC, presence: true });
  const raw = await RawClient.connect(t, server, server.token({ sub: "rob" }));
  const joined = next(ann, "presence");
  await raw.request("subscribe", { topic: TOPIC });
  assert.equal((await joined).action, "join");
  const left = next(ann, "presence");
  const began = performance.now();
  // Nothing is read any more, so no ping is answered.
  raw.socket.pause();
  const { action, user } = await left;
  assert.deepEqual([action, user.userId], ["leave", "rob"]);
  const ms = performance.now() - began;
  assert.ok(ms < 1_900, `${ms} ms: the time that a reload is given comes not on top`);
});

test("a server that stood still for two heartbeats has nobody present twice", async (t) => {
  const server = await Server.start(t, HURRIED);
  const ann = await connect(t, server, server.token({ sub: "ann" }));
  const bob = await connect(t, server, server.token({ sub: "bob" }));
  for (const socket of [ann, bob]) {
    const subscribe = () => socket.emit("subscribe", { topic: TOPIC, presence: true });
    await succeed(socket, "subscribe", { topic: TOPIC, presence: true });
    socket.on("connected", subscribe);
  }
  const since = (await succeed(ann, "presence", { topic: TOPIC })).users.map((user) => user.since);
  await server.freeze();
  await Promise.all([ann, bob].map((socket) => new Promise((resolve) => socket.once("disconnect", resolve))));
  server.thaw();
  await until(async () => {
    if (!ann.connected || !bob.connected) return false;
    const { users, count } = await succeed(ann, "presence", { topic: TOPIC });
    return count === 2 && users.every((user) => user.connections === 1);
  }, "two users with one connection each");
  const { users } = await succeed(ann, "presence", { topic: TOPIC });
  assert.deepEqual(
    users.map((user) => user.userId),
    ["ann", "bob"],
  );
  assert.ok(
    users.every((user, at) => user.since >= since[at]),
    "since never moves back",
  );
});

test("a message that asks for it is confirmed, or sent again with its id and seq", async (t) => {
  const server = await Server.start(t);
  const ann = await connect(t, server, server.token({ sub: "ann" }));
  const bob = await connect(t, server, server.token({ sub: "bob" }));
  const raw = await RawClient.connect(t, server, server.token({ sub: "rob" }));
  await succeed(bob, "subscribe", { topic: TOPIC });
  await raw.request("subscribe", { topic: TOPIC });
  const got = collect(bob, TOPIC);
  const publish = { topic: TOPIC, payload: "important", requireDelivery: true };
  const { messageId } = await succeed(ann, "publish", publish);
  const [message] = await got.until(1);
  assert.equal(message.requireDelivery, true);
  raw.send("ack", { id: messageId });
  const half = next(ann, "delivery");
  // After five seconds only who has not confirmed is sent it again.
  await got.until(2);
  assert.deepEqual(got.messages[1], message);
  assert.deepEqual(await half, { messageId, confirmed: 1, pending: 1 });
  const whole = next(ann, "delivery");
  assert.equal((await request(bob, "ack", { id: messageId })).status, "success");
  assert.deepEqual(await whole, { messageId, confirmed: 2, pending: 0 });
  assert.equal(raw.frames.filter((frame) => frame.sequence === 1).length, 1);
});
