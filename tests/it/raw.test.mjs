/** The raw WebSocket `/api/v1/ws`: the same journey as with Socket.IO (SPEC §7). */
import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, succeed, within } from "../support/official.mjs";
import { RawClient } from "../support/raw.mjs";
import { Server } from "../support/server.mjs";
import { mintToken } from "../support/token.mjs";

test("raw and Socket.IO meet on one channel", async (t) => {
  const server = await Server.start(t);
  const raw = await RawClient.connect(t, server, server.token({ sub: "r" }));
  assert.equal(raw.socket.protocol, "bmt.v1");
  assert.equal(raw.hello.data.user.userId, "r");
  assert.ok(raw.hello.data.limits && raw.hello.data.heartbeatInterval && raw.hello.data.connectionId);

  const subscribed = await raw.request("subscribe", { topic: "public:orders" });
  assert.equal(subscribed.type, "ack");
  assert.equal(subscribed.data.messageId, subscribed.messageId);
  assert.equal(subscribed.data.topic, "public:orders");

  const other = await connect(t, server, server.token({ sub: "o" }));
  const send = (payload) => succeed(other, "publish", { topic: "public:orders", payload });
  const notified = await send({ type: "notification", content: { title: "New order" } });
  await send({ type: "status_change", content: { status: "done" } });
  await send({ type: "status", entityId: "7" });
  await send([1, 2]);
  await raw.frame((frame) => frame.sequence === 4);
  const messages = raw.frames.filter((frame) => frame.sequence);
  assert.deepEqual(
    messages.map(({ type, data, topic, from, sequence }) => ({ type, data, topic, from, sequence })),
    [
      { type: "notification", data: { title: "New order" }, topic: "public:orders", from: "o", sequence: 1 },
      { type: "status", data: { status: "done" }, topic: "public:orders", from: "o", sequence: 2 },
      { type: "status", data: { type: "status", entityId: "7" }, topic: "public:orders", from: "o", sequence: 3 },
      { type: "data", data: [1, 2], topic: "public:orders", from: "o", sequence: 4 },
    ],
  );
  assert.equal(messages[0].messageId, notified.messageId);

  const published = await raw.request("publish", { topic: "public:orders", payload: { type: "text", content: "x" } });
  assert.deepEqual([published.type, published.data.seq], ["ack", 5]);
  const page = await raw.request("history", { topic: "public:orders", limit: 2 });
  assert.deepEqual([page.data.messages.map((message) => message.seq), page.data.hasMore], [[4, 5], true]);
});

test("ping is answered by pong and heartbeat by heartbeat, with the same timestamp", async (t) => {
  const server = await Server.start(t);
  const raw = await RawClient.connect(t, server, server.token());
  for (const [sent, answered] of [["ping", "pong"], ["heartbeat", "heartbeat"]]) {
    raw.socket.send(JSON.stringify({ type: sent, timestamp: 77 }));
    const frame = await raw.frame((frame) => frame.type === answered);
    assert.equal(frame.timestamp, 77);
  }
});

test("errors carry the number and, under details, the name", async (t) => {
  const server = await Server.start(t);
  const raw = await RawClient.connect(t, server, server.token({ sub: "1" }));
  const refused = await raw.request("subscribe", { topic: "user:12" });
  assert.deepEqual([refused.type, refused.data.code, refused.data.details.code], ["error", 3001, "permission_denied"]);
  raw.socket.send("[1,2");
  assert.equal((await raw.frame((frame) => frame.type === "error" && frame.data.code === 2000)).data.details.code, "invalid_message");
});

test("the token is taken from the query, from the first frame, or refused with 1008", async (t) => {
  const server = await Server.start(t);
  const byQuery = new RawClient(t, server, { query: `&token=${server.token({ sub: "q" })}&clientId=c1` });
  const hello = await byQuery.frame((frame) => frame.type === "connect");
  assert.deepEqual([hello.data.user.userId, hello.data.clientId], ["q", "c1"]);

  const byFrame = new RawClient(t, server, { query: "&auth=frame" });
  byFrame.socket.once("open", () => byFrame.send("auth", { token: server.token({ sub: "f" }) }));
  assert.equal((await byFrame.frame((frame) => frame.type === "connect")).data.user.userId, "f");

  const refused = new RawClient(t, server, { query: "&token=nonsense" });
  const error = await refused.frame((frame) => frame.type === "error");
  assert.deepEqual([error.data.code, error.data.details.status], [1001, 40_100]);
  assert.equal((await refused.closed).code, 1008);
  const expired = new RawClient(t, server, { query: `&token=${mintToken({ exp: 1_000 })}` });
  assert.equal((await expired.closed).code, 4001);
});

test("what is due at once comes in fewer frames where that was asked for", async (t) => {
  const server = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0" });
  const publisher = await connect(t, server, server.token({ sub: "p" }));
  const token = server.token({ sub: "s" });
  for (const batch of [0, 1]) {
    const topic = `public:batch_${batch}`;
    const subscriber = new RawClient(t, server, { query: `&batch=${batch}`, protocols: ["bmt.v1", `bearer.${token}`] });
    await subscriber.frame((frame) => frame.type === "connect");
    await subscriber.request("subscribe", { topic });
    const { socket } = subscriber;
    const seqs = [];
    let frames = 0;
    const received = new Promise((resolve) => {
      socket.removeAllListeners("message");
      socket.on("message", (data) => {
        frames += 1;
        seqs.push(...[JSON.parse(data)].flat().map((envelope) => envelope.sequence));
        if (seqs.length === 2_000) resolve();
      });
    });
    for (let n = 0; n < 2_000; n += 200) {
      const messages = Array.from({ length: 200 }, (_, k) => ({ topic, messageId: `m${n + k}`, payload: { n: n + k } }));
      publisher.emit("publish", { messages }, () => {});
    }
    await within(received, "2,000 messages");
    assert.deepEqual(seqs, Array.from({ length: 2_000 }, (_, n) => n + 1));
    t.diagnostic(`batch=${batch}: ${seqs.length} messages in ${frames} frames`);
    assert.ok(batch === 1 ? frames < 1_000 : frames === 2_000, `${frames} frames`);
  }
});
