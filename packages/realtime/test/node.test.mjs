/** The installed package in Node against a real server. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";

import { WebSocket } from "ws";

import { Server } from "../../../tests/support/server.mjs";
import { installed } from "./support/installed.mjs";
import { FAST, member as join } from "./support/member.mjs";
import { until } from "./support/until.mjs";

describe("the package in Node", () => {
  const here = installed();

  const member = (t, ...rest) => join(t, here.bmt, ...rest);

  it("carries a message from one client to another", async (t) => {
    const server = await Server.start(t);
    const [alice, bob] = await Promise.all([member(t, server, "alice"), member(t, server, "bob")]);
    await Promise.all([alice.connect(), bob.connect()]);
    assert.equal(alice.state, "connected");
    assert.match(alice.connectionId, /./);

    const received = [];
    const subscription = await bob.subscribe("public:chat", (message) => received.push(message));
    assert.equal(subscription.seq, 0);
    const payload = { type: "text", content: "你好 \"world\" \u2028", nested: [1, null, { deep: true }] };
    const published = await alice.publish("public:chat", payload, { messageId: "msg_1_mine" });
    assert.equal(published.seq, 1);
    assert.equal(published.duplicate, false);

    await until("bob has the message", () => received.length === 1);
    const [message] = received;
    assert.deepEqual(message.payload, payload);
    assert.equal(message.seq, 1);
    assert.equal(message.id, published.messageId);
    assert.equal(message.clientMessageId, "msg_1_mine");
    assert.equal(message.type, "event");
  });

  it("keeps the order of publishes that nobody waits for", async (t) => {
    const server = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0" });
    const [alice, bob] = await Promise.all([member(t, server, "alice"), member(t, server, "bob")]);
    await Promise.all([alice.connect(), bob.connect()]);
    const received = [];
    await bob.subscribe("public:chat", (message) => received.push(message.payload));
    const numbers = Array.from({ length: 300 }, (_, n) => n);
    await Promise.all(numbers.map((n) => alice.publish("public:chat", n)));
    await until("bob has all", () => received.length === numbers.length);
    assert.deepEqual(received, numbers);
  });

  it("says what is wrong with a channel's name, and with a payload that is no JSON", async (t) => {
    const alice = await member(t, await Server.start(t), "alice");
    await alice.connect();
    await assert.rejects(alice.subscribe("public:a b"), { code: "invalid_message", message: /` ` is none of them/ });
    const parent = { children: [] };
    for (let n = 0; n < 8; n++) parent.children.push({ parent });
    await assert.rejects(alice.publish("public:chat", parent), { code: "invalid_message", message: /no circle/ });
    parent.picture = new Uint8Array(1);
    await assert.rejects(alice.publish("public:chat", parent), { code: "invalid_message", message: /holds itself/ });
  });

  it("rejects a refused token with its reason, and stays away", async (t) => {
    const server = await Server.start(t);
    const client = new here.bmt.RealtimeClient(server.url, { auth: "no.such.token", ...FAST });
    t.after(() => client.disconnect());
    await assert.rejects(client.connect(), (error) => {
      assert.ok(error instanceof here.bmt.RealtimeError);
      assert.equal(error.code, here.bmt.ErrorCode.AUTHENTICATION_FAILED);
      assert.match(error.message, /^Authentication failed/);
      return true;
    });
    assert.equal(client.isConnected(), false);
  });

  it("asks a token provider for every connect", async (t) => {
    const server = await Server.start(t);
    const { accessToken } = await server.login("alice");
    let asked = 0;
    const client = new here.bmt.RealtimeClient(server.url, {
      auth: async () => (asked++, accessToken),
      ...FAST,
    });
    t.after(() => client.disconnect());
    await client.connect();
    assert.equal(asked, 1);
    client.disconnect();
    await client.connect();
    assert.equal(asked, 2);
  });

  it("goes on with a new token before the old one ends", async (t) => {
    const server = await Server.start(t);
    const ends = Math.floor(Date.now() / 1000) + 3;
    const tokens = [server.token({ exp: ends }), server.token()];
    const client = new here.bmt.RealtimeClient(server.url, { auth: () => tokens.shift(), ...FAST });
    t.after(() => client.disconnect());
    const heard = [];
    for (const name of ["tokenExpiring", "disconnected"]) client.on(name, () => heard.push(name));
    await client.connect();
    const { connectionId } = client;
    await until("the first token is over", () => Date.now() > (ends + 1) * 1000);
    await client.publish("public:chat", "still here");
    assert.deepEqual(heard, ["tokenExpiring"]);
    assert.equal(client.connectionId, connectionId);
  });

  it("stops and says so when a token is over and there is no other", async (t) => {
    const server = await Server.start(t);
    const token = server.token({ exp: Math.floor(Date.now() / 1000) + 2 });
    let asked = 0;
    const client = new here.bmt.RealtimeClient(server.url, { auth: () => (asked++, token), ...FAST });
    t.after(() => client.disconnect());
    let expired = 0;
    client.on("tokenExpired", () => expired++);
    await client.connect();
    await until("it has given up", () => client.state === "failed");
    assert.equal(expired, 1);
    // Twice for a connection, and on each once more when the server says that the token ends.
    assert.ok(asked <= 4, `asked ${asked} times`);
  });

  it("says what is not allowed, by code and channel", async (t) => {
    const server = await Server.start(t);
    const alice = await member(t, server, "alice");
    await alice.connect();
    const denied = (error) => {
      assert.ok(error instanceof here.bmt.RealtimeError);
      assert.equal(error.code, "permission_denied");
      assert.equal(error.topic, "system:news");
      assert.equal(error.retryable, false);
      return true;
    };
    const rejected = [];
    alice.on("queueRejected", (loss) => rejected.push(loss));
    await assert.rejects(alice.publish("system:news", {}), denied);
    assert.equal(rejected.length, 1);
    await assert.rejects(alice.subscribe("private:board"), { code: "permission_denied", topic: "private:board" });
    await assert.rejects(alice.subscribe("no good"), { code: "invalid_message" });
    assert.equal((await alice.publish("public:chat", "goes on")).seq, 1);
  });

  it("pages history, lists who is present, and passes signals on", async (t) => {
    const server = await Server.start(t);
    const [alice, bob] = await Promise.all([member(t, server, "alice"), member(t, server, "bob")]);
    await Promise.all([alice.connect(), bob.connect()]);
    for (let n = 1; n <= 5; n++) await alice.publish("public:chat", n);

    const newest = await bob.history("public:chat", { limit: 2 });
    assert.deepEqual(newest.messages.map(({ payload }) => payload), [4, 5]);
    assert.equal(newest.hasMore, true);
    const older = await bob.history("public:chat", { before: 4, limit: 10 });
    assert.deepEqual(older.messages.map(({ seq }) => seq), [1, 2, 3]);
    const received = [];
    await bob.subscribe("public:chat", ({ payload }) => received.push(payload), { history: 3 });
    await alice.publish("public:chat", 6);
    await until("bob has the newest three and the next", () => received.length === 4);
    assert.deepEqual(received, [3, 4, 5, 6]);

    await alice.subscribe("public:chat");
    const present = await bob.presence("public:chat");
    assert.deepEqual(present.users.map(({ name }) => name.toLowerCase()).sort(), ["alice", "bob"]);

    const signals = [];
    bob.on("signal", (signal) => signals.push(signal));
    await alice.signal("public:chat", { typing: true });
    await until("bob sees the signal", () => signals.length === 1);
    assert.deepEqual(signals[0].payload, { typing: true });
  });

  it("brings what was missed while the connection was cut, in order and once", async (t) => {
    const server = await Server.start(t);
    const sockets = [];
    class Watched extends WebSocket {
      constructor(...args) {
        super(...args);
        sockets.push(this);
      }
    }
    const alice = await member(t, server, "alice");
    const bob = await member(t, server, "bob", { webSocket: Watched });
    await Promise.all([alice.connect(), bob.connect()]);
    const received = [];
    await bob.subscribe("public:chat", (message) => received.push(message.seq));
    await alice.publish("public:chat", "seen");
    await until("bob has the first", () => received.length === 1);

    const states = [];
    bob.on("stateChange", ({ to }) => states.push(to));
    sockets.at(-1).terminate();
    for (let n = 0; n < 20; n++) await alice.publish("public:chat", n);
    await until("bob has all", () => received.length === 21);
    assert.deepEqual(received, Array.from({ length: 21 }, (_, n) => n + 1));
    assert.deepEqual(states, ["reconnecting", "connected"]);
    assert.equal(bob.getStats().reconnectCount, 1);
  });

  it("publishes exactly once what was published while the server was dead", async (t) => {
    const server = await Server.start(t);
    const alice = await member(t, server, "alice");
    await alice.connect();
    await alice.publish("public:chat", "before");
    await server.kill();
    const waiting = ["one", "two", "three"].map((text) => alice.publish("public:chat", text));
    await until("alice noticed", () => alice.state === "reconnecting");
    assert.equal(alice.getStats().queueSize, 3);
    await server.run();
    const published = await Promise.all(waiting);
    assert.deepEqual(published.map(({ seq }) => seq), [2, 3, 4]);
    const { messages } = await alice.history("public:chat");
    assert.deepEqual(messages.map(({ payload }) => payload), ["before", "one", "two", "three"]);
    assert.equal(alice.getStats().queueSize, 0);
  });

  it("comes back by itself after a graceful restart of the server", async (t) => {
    const server = await Server.start(t);
    const alice = await member(t, server, "alice");
    const heard = [];
    for (const name of ["closing", "disconnected", "reconnected"]) alice.on(name, (body) => heard.push([name, body]));
    await alice.connect();
    const received = [];
    await alice.subscribe("public:chat", ({ payload }) => received.push(payload));
    await server.stop();
    await until("alice noticed", () => alice.state === "reconnecting");
    const published = alice.publish("public:chat", "said while it was away");
    await server.run();
    assert.equal((await published).seq, 1);
    await until("alice has her own", () => received.length === 1);
    assert.deepEqual(heard.map(([name]) => name), ["closing", "disconnected", "reconnected"]);
    assert.equal(heard[0][1].code, here.bmt.CloseCode.RESTART);
    assert.equal(heard[1][1].willReconnect, true);
  });

  it("confirms what is to be confirmed, and tells the publisher", async (t) => {
    const server = await Server.start(t);
    const [alice, bob] = await Promise.all([member(t, server, "alice"), member(t, server, "bob")]);
    await Promise.all([alice.connect(), bob.connect()]);
    const [received, deliveries] = [[], []];
    alice.on("delivery", (delivery) => deliveries.push(delivery));
    await bob.subscribe("public:chat", ({ payload }) => received.push(payload));
    const { messageId } = await alice.publish("public:chat", "important", { requireDelivery: true });
    await until("it is confirmed", () => deliveries.at(-1)?.pending === 0);
    assert.deepEqual(deliveries.at(-1), { messageId, confirmed: 1, pending: 0 });
    assert.deepEqual(received, ["important"]);
  });

  it("counts what it does, and how long that takes", async (t) => {
    const server = await Server.start(t);
    const alice = await member(t, server, "alice", { heartbeatIntervalMs: 50 });
    const { status, messagesPublished, latencyMs } = alice.getStats();
    assert.deepEqual([status, messagesPublished, latencyMs], ["disconnected", 0, undefined]);
    await alice.connect();
    await alice.subscribe("public:chat");
    for (let n = 0; n < 20; n++) await alice.publish("public:chat", n);
    const latencies = [];
    alice.on("latency", ({ ms }) => latencies.push(ms));
    await until("heartbeats came back", () => latencies.length > 2);
    await server.kill();
    const waiting = alice.publish("public:chat", "later");
    await until("it is queued", () => alice.getStats().queueSize === 1);
    await server.run();
    await waiting;
    await until("the last came back", () => alice.getStats().messagesReceived === 21);
    const stats = alice.getStats();
    assert.deepEqual(
      [stats.status, stats.subscriptions, stats.queueSize, stats.reconnectCount, stats.messagesPublished, stats.gaps],
      ["connected", 1, 0, 1, 21, 0],
    );
    const { latencyP50Ms, latencyP95Ms, latencyP99Ms } = stats;
    assert.ok(latencyP50Ms <= latencyP95Ms && latencyP95Ms <= latencyP99Ms, JSON.stringify(stats));
    assert.ok(stats.latencyMs >= 0 && stats.latencyMs < 10_000);
    assert.ok(stats.framesSent > 22 && stats.bytesSent > stats.framesSent, JSON.stringify(stats));
    assert.ok(stats.framesReceived > 41 && stats.bytesReceived > stats.framesReceived, JSON.stringify(stats));
  });

  it("calls listeners so that one that throws or publishes disturbs nobody", async (t) => {
    const server = await Server.start(t);
    const alice = await member(t, server, "alice");
    const reported = [];
    const { error: original } = console;
    console.error = (error) => reported.push(error);
    t.after(() => (console.error = original));

    const heard = [];
    alice.on("message", () => {
      throw new Error("of the application");
    });
    const undo = alice.on("message", ({ payload }) => heard.push(payload));
    const outgoing = [];
    alice.onAnyOutgoing((name, body) => outgoing.push(body.payload ? [name, body.payload] : [name]));
    await alice.connect();
    await alice.subscribe("public:chat", ({ payload }) => {
      if (payload < 3) void alice.publish("public:chat", payload + 1);
    });
    await alice.publish("public:chat", 1);
    await until("the last answer came", () => heard.includes(3));
    assert.deepEqual(heard, [1, 2, 3]);
    assert.deepEqual(outgoing, [["subscribe"], ["publish", 1], ["publish", 2], ["publish", 3]]);
    assert.equal(reported.length, 3);
    undo();
    await alice.publish("public:chat", 9);
    assert.deepEqual(heard, [1, 2, 3]);
  });

  it("ends a wait by its signal and not the thing waited for", async (t) => {
    const server = await Server.start(t);
    const alice = await member(t, server, "alice");
    const abort = new AbortController();
    const waiting = alice.publish("public:chat", "later", { signal: abort.signal });
    abort.abort(new Error("no time"));
    await assert.rejects(waiting, { code: "aborted" });
    await alice.connect();
    await until("it was stored all the same", async () => {
      const { messages } = await alice.history("public:chat");
      return messages.length === 1;
    });
  });

  it("leaves nothing that keeps a program alive after disconnect()", async (t) => {
    const server = await Server.start(t);
    const { accessToken } = await server.login("alice");
    const program = path.join(here.project, "ends.mjs");
    await writeFile(
      program,
      `import { RealtimeClient } from "@bmt/realtime";
       const client = new RealtimeClient(process.argv[2], { auth: process.argv[3] });
       await client.connect();
       await client.subscribe("public:chat", () => {});
       await client.publish("public:chat", "hello");
       client.disconnect();
       console.log("done");`,
    );
    const run = promisify(execFile);
    const { stdout, stderr } = await run(process.execPath, [program, server.url, accessToken], { timeout: 10_000 });
    assert.equal(stdout.trim(), "done");
    assert.equal(stderr, "");
  });

  it("stays away where disconnect() came while it was loading", async (t) => {
    const server = await Server.start(t);
    const alice = await member(t, server, "alice");
    const connecting = alice.connect();
    alice.disconnect();
    await assert.rejects(connecting, { code: "disconnected" });
    assert.equal(alice.state, "disconnected");
  });

  it("refuses an address that is none", async () => {
    const client = new here.bmt.RealtimeClient("ftp://not.a.server", FAST);
    await assert.rejects(client.connect(), { name: "RealtimeError", code: "connect_error" });
  });
});
