/** The raw endpoint: frames in, frames out, over a link that comes back. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { WebSocket } from "ws";

import { Server } from "../../../tests/support/server.mjs";
import { installed } from "./support/installed.mjs";
import { FAST, member } from "./support/member.mjs";
import { until } from "./support/until.mjs";

describe("a client of the raw endpoint", () => {
  const here = installed();

  /** A client of the endpoint; `heard` has every frame's type and data. */
  function make(t, options) {
    const ws = new here.bmt.WsClient({ ...FAST, ...options });
    t.after(() => ws.close());
    ws.heard = [];
    const types = ["connect", "disconnect", "error", "heartbeat", "notification", "status", "data", "ack", "closing"];
    for (const type of types) ws.on(type, (data, frame) => ws.heard.push([type, data, frame]));
    ws.all = (type) => ws.heard.filter(([other]) => other === type).map(([, data]) => data);
    return ws;
  }

  const endpoint = (server) => `${server.url.replace("http", "ws")}/api/v1/ws`;

  async function joined(t, server, username, options = {}) {
    const { accessToken: token } = await server.login(username);
    return make(t, { url: endpoint(server), token, clientId: "client_123", protocol: "1.0", ...options });
  }

  it("connects by being made, and hears messages by their kind", async (t) => {
    const server = await Server.start(t);
    const alice = await joined(t, server, "alice");
    alice.send("subscribe", { topic: "public:orders" });
    await until("it is connected", () => alice.all("connect").length === 1);
    const [greeting] = alice.all("connect");
    assert.equal(greeting.clientId, "client_123");
    assert.equal(greeting.user.name.toLowerCase(), "alice");
    assert.ok(greeting.connectionId && greeting.serverTime && greeting.limits);

    const bob = await member(t, here.bmt, server, "bob");
    await bob.connect();
    await until("alice is subscribed", async () => (await bob.presence("public:orders")).count === 1);
    const payloads = [
      { type: "notification", content: { title: "新订单" } },
      { type: "status_change", content: { entityId: "12", status: "completed" } },
      { type: "data_update", content: 7 },
      { type: "text", text: "no content" },
      "plain",
    ];
    for (const payload of payloads) await bob.publish("public:orders", payload);
    const channel = () => alice.heard.filter(([type]) => ["notification", "status", "data"].includes(type));
    await until("all came", () => channel().length === payloads.length);
    assert.deepEqual(channel().map(([type, data]) => [type, data]), [
      ["notification", { title: "新订单" }],
      ["status", { entityId: "12", status: "completed" }],
      ["data", 7],
      ["data", { type: "text", text: "no content" }],
      ["data", "plain"],
    ]);
    const [, , frame] = channel()[0];
    assert.equal(frame.topic, "public:orders");
    assert.equal(frame.sequence, 1);
    assert.equal(frame.from, bob.user.userId);
  });

  it("reads each message once, alone in its frame or among others", async (t) => {
    const server = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0" });
    const [alice, bob] = [await joined(t, server, "alice"), await member(t, here.bmt, server, "bob")];
    await Promise.all([alice.send("subscribe", { topic: "public:chat" }), bob.connect()]);
    const { parse } = JSON;
    t.after(() => (JSON.parse = parse));
    let read = 0;
    JSON.parse = (text, ...rest) => {
      if (text.includes("counted")) read++;
      return parse(text, ...rest);
    };
    const publish = (n) => bob.publish("public:chat", { type: "counted", content: { type: "counted", n } });
    await publish(0);
    await until("it came", () => alice.all("data").length === 1);
    assert.equal(read, 1);
    await Promise.all(Array.from({ length: 50 }, (_, n) => publish(n + 1)));
    await until("all came", () => alice.all("data").length === 51);
    assert.deepEqual(alice.all("data").map(({ n }) => n), Array.from({ length: 51 }, (_, n) => n));
    assert.equal(read, 51);
  });

  it("publishes, asks, and is answered by promise and by frame", async (t) => {
    const server = await Server.start(t);
    const alice = await joined(t, server, "alice");
    await alice.send("subscribe", { topic: "public:chat" });
    const published = await alice.send("publish", { topic: "public:chat", payload: { content: "hi" }, messageId: "msg_1_a" });
    assert.equal(published.seq, 1);
    assert.ok(published.deliveredTo === undefined || published.deliveredTo === 1);
    assert.equal(published.duplicate, false);
    assert.ok(alice.all("ack").some(({ messageId }) => messageId === "msg_1_a"));
    assert.equal((await alice.send("publish", { topic: "public:chat", payload: { content: "hi" }, messageId: "msg_1_a" })).duplicate, true);
    const page = await alice.send("history", { topic: "public:chat", limit: 10 });
    assert.deepEqual(page.messages.map(({ payload }) => payload), [{ content: "hi" }]);
    assert.equal((await alice.send("presence", { topic: "public:chat" })).count, 1);
    await alice.send("read", { topic: "public:chat", seq: 1 });
    await alice.send("heartbeat");
    await until("the heartbeat came back", () => alice.all("heartbeat").length > 0);
    await alice.send("unsubscribe", { topic: "public:chat" });
    assert.equal(alice.client.getStats().subscriptions, 0);
  });

  it("tells refusals by number, and types of its own that the server does not know", async (t) => {
    const server = await Server.start(t);
    const alice = await joined(t, server, "alice");
    await alice.connect();
    await assert.rejects(alice.send("subscribe", { topic: "private:board" }), { code: "permission_denied" });
    // Nobody looks at this one.
    void alice.send("publish", { topic: "system:news", payload: 1 });
    await until("both were told", () => alice.all("error").length === 2);
    for (const { code, details } of alice.all("error")) {
      assert.equal(code, here.bmt.WsErrorCode.PERMISSION_DENIED);
      assert.equal(details.code, "permission_denied");
    }
    await alice.send("dance", {});
    await until("it was refused", () => alice.all("error").length === 3);
    assert.equal(alice.all("error")[2].code, here.bmt.WsErrorCode.INVALID_MESSAGE);
    alice.close();
    await assert.rejects(alice.send("dance", {}), { code: "not_connected" });
  });

  it("says why it is not let in, once, by number", async (t) => {
    const server = await Server.start(t);
    const nobody = make(t, { url: endpoint(server), token: "no.such.token" });
    await until("it is told", () => nobody.all("error").length > 0);
    await until("it gave up", () => nobody.client.state === "failed");
    assert.deepEqual(nobody.all("error").map(({ code }) => code), [here.bmt.WsErrorCode.AUTH_FAILED]);
    assert.equal(nobody.all("error")[0].details.status, 40100);

    const old = make(t, { url: endpoint(server), protocol: "0.9", autoConnect: false });
    await assert.rejects(old.connect(), { code: "invalid_protocol" });
    assert.deepEqual(old.all("error").map(({ code }) => code), [here.bmt.WsErrorCode.INVALID_PROTOCOL]);
  });

  it("comes back by itself, with everything that was missed, in order and once", async (t) => {
    const server = await Server.start(t);
    const sockets = [];
    class Watched extends WebSocket {
      constructor(...args) {
        super(...args);
        sockets.push(this);
      }
    }
    const alice = await joined(t, server, "alice", { webSocket: Watched });
    await alice.send("subscribe", { topic: "public:chat" });
    const bob = await member(t, here.bmt, server, "bob");
    await bob.connect();
    await bob.publish("public:chat", { type: "notification", content: 0 });
    await until("the first came", () => alice.all("notification").length === 1);
    sockets.at(-1).terminate();
    for (let n = 1; n <= 20; n++) await bob.publish("public:chat", { type: "notification", content: n });
    const offline = alice.send("publish", { topic: "public:chat", payload: { content: "mine" } });
    await until("all came", () => alice.all("data").length === 1 && alice.all("notification").length === 21);
    assert.deepEqual(alice.all("notification"), Array.from({ length: 21 }, (_, n) => n));
    assert.equal((await offline).seq, 22);
    assert.equal(alice.all("disconnect").length, 1);
    assert.equal(alice.all("disconnect")[0].willReconnect, true);
    assert.equal(alice.all("connect").length, 2);
    assert.deepEqual(alice.all("error"), []);
  });

  it("is spoken by a client too, with the same queue and the same order", async (t) => {
    const server = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0" });
    const [alice, bob] = [
      await member(t, here.bmt, server, "alice", { protocol: "raw" }),
      await member(t, here.bmt, server, "bob"),
    ];
    await Promise.all([alice.connect(), bob.connect()]);
    const received = [];
    await bob.subscribe("public:chat", ({ payload }) => received.push(payload));
    const own = [];
    await alice.subscribe("public:chat", (message) => own.push(message));
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    const published = await Promise.all(numbers.map((n) => alice.publish("public:chat", n)));
    assert.deepEqual(published.map(({ seq }) => seq), numbers.map((n) => n + 1));
    await until("all came", () => received.length === 100 && own.length === 100);
    assert.deepEqual(received, numbers);
    assert.deepEqual(own.map(({ payload }) => payload), numbers);
    const [{ id, topic, type, from, seq, timestamp, clientMessageId }] = own;
    assert.deepEqual([topic, type, from, seq], ["public:chat", "event", alice.user.userId, 1]);
    assert.ok(id && timestamp > 0 && clientMessageId.startsWith("msg_"));
    await server.kill();
    const late = alice.publish("public:chat", "late");
    await server.run();
    assert.equal((await late).seq, 101);
  });
});
