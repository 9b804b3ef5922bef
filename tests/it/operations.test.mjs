/** The operations of SPEC §4 beyond publish and subscribe, over Socket.IO and raw. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, next, request, succeed } from "../support/official.mjs";
import { RawClient } from "../support/raw.mjs";
import { Server } from "../support/server.mjs";

const TOPIC = "public:team";

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
