/** What is published while nobody listens, or before a page ends, arrives: once, in order, under its own login. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { installed } from "./support/installed.mjs";
import { FakeStorage } from "./support/storage.mjs";
import { until } from "./support/until.mjs";

const FAST = { reconnect: { baseMs: 50, capMs: 200 } };

describe("the offline queue", () => {
  const here = installed();

  /** A client as a page of `username` would make it over `storage`. */
  async function page(t, server, username, storage, options = {}) {
    const { accessToken } = await server.login(username);
    const client = new here.bmt.RealtimeClient(server.url, { auth: accessToken, storage, ...FAST, ...options });
    client.warnings = [];
    client.on("warning", ({ code }) => client.warnings.push(code));
    t.after(() => client.disconnect());
    return client;
  }

  /** Publishes without waiting; the page may end before anything comes of it. */
  function publish(client, ...payloads) {
    return payloads.map((payload) => client.publish("public:chat", payload).catch(() => {}));
  }

  const stored = async (client) => {
    const { messages } = await client.history("public:chat", { limit: 200 });
    return messages.map(({ payload }) => payload);
  };

  /** Leaves `payloads` in storage: a page of `username` that was closed while the server was away. */
  async function leave(t, server, username, storage, ...payloads) {
    const client = await page(t, server, username, storage);
    await client.connect();
    await server.kill();
    publish(client, ...payloads);
    await until("all are kept", () => storage.entries().length >= payloads.length);
    client.disconnect();
    await server.run();
  }

  it("is sent by the next page, in order and once", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    await leave(t, server, "alice", storage, "one", "two", "three");
    const [entry] = storage.entries();
    assert.equal(entry.topic, "public:chat");
    assert.equal(entry.payload, "one");
    assert.equal(entry.server, server.url);
    assert.match(entry.messageId, /^msg_/);
    assert.ok(entry.user && entry.timestamp && entry.options);

    const next = await page(t, server, "alice", storage);
    const acks = [];
    next.on("ack", (ack) => acks.push(ack.seq));
    await next.connect();
    await until("all are acked", () => acks.length === 3);
    assert.deepEqual(acks, [1, 2, 3]);
    assert.deepEqual(await stored(next), ["one", "two", "three"]);
    await until("nothing is kept", () => storage.entries().length === 0);
    assert.equal(next.getStats().queueSize, 0);
  });

  it("keeps what is published before the engine is loaded, though the page ends at once", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    const first = await page(t, server, "alice", storage);
    publish(first, "early", "bird");
    const kept = storage.entries();
    assert.deepEqual(kept.map(({ payload }) => payload), ["early", "bird"]);
    assert.equal(kept[0].user, (await server.login("alice")).user.userId);

    const next = await page(t, server, "alice", storage);
    await next.connect();
    await until("both are sent", async () => (await stored(next)).length === 2);
    assert.deepEqual(await stored(next), ["early", "bird"]);
    // The first page was not closed after all: what it hands over now is published already.
    await first.connect();
    await until("nothing waits", () => first.getStats().queueSize === 0);
    assert.deepEqual(await stored(next), ["early", "bird"]);
  });

  it("is sent again and known, where a page ended between an ack and the removal from storage", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    const first = await page(t, server, "alice", storage);
    await first.connect();
    let left, queue;
    first.on("ack", () => {
      left = storage.copy();
      queue = new here.bmt.OfflineMessageQueue({ storage });
    });
    await first.publish("public:chat", "acked");
    assert.deepEqual(left.entries().map(({ payload }) => payload), ["acked"]);
    await until("it is removed", () => storage.entries().length === 0);
    assert.deepEqual(await queue.flush(() => assert.fail("it is published")), { sent: 0, kept: 0, lost: [] });

    const next = await page(t, server, "alice", left);
    const acks = [];
    next.on("ack", ({ duplicate }) => acks.push(duplicate));
    await next.connect();
    await until("it is acked again", () => acks.length === 1);
    assert.deepEqual(acks, [true]);
    assert.deepEqual(await stored(next), ["acked"]);
    await until("nothing is kept", () => left.entries().length === 0);
  });

  it("is not sent by a tab that finds in it what another has had acked and not removed yet", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    const [first, second] = await Promise.all([1, 2].map(() => page(t, server, "alice", storage)));
    await Promise.all([first.connect(), second.connect()]);
    second.disconnect();
    const acks = [];
    second.on("ack", (ack) => acks.push(ack));
    let found;
    second.on("stateChange", ({ to }) => {
      if (to !== "connecting") return;
      found = second.getStats().queueSize;
      // Whatever it says next, the removal follows.
      void first.history("public:chat");
    });
    const connected = new Promise((resolve) => first.on("ack", () => resolve(second.connect())));
    await first.publish("public:chat", "acked");
    await connected;
    assert.equal(found, 1);
    await until("it has looked again", () => second.getStats().queueSize === 0);
    await second.publish("public:chat", "of the other");
    assert.equal(acks.length, 1);
    assert.deepEqual(await stored(second), ["acked", "of the other"]);
  });

  it("keeps nothing for later of what is refused, nor of what is acked while the page cannot be seen", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    const alice = await page(t, server, "alice", storage);
    await alice.connect();
    const left = [];
    const look = () => left.push(storage.entries().length);
    alice.on("queueRejected", look);
    alice.on("ack", look);
    await assert.rejects(alice.publish("system:news", "refused"), { code: "permission_denied" });
    globalThis.document = { hidden: true };
    t.after(() => delete globalThis.document);
    await alice.publish("public:chat", "acked");
    assert.deepEqual(left, [0, 0]);
  });

  it("makes room for a message by what is acked and not removed yet", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    storage.quota = 1_000;
    const alice = await page(t, server, "alice", storage);
    await alice.connect();
    const [one, two] = ["one", "two"].map((text) => text.padEnd(300));
    let before, after;
    alice.once("ack", () => {
      before = storage.entries();
      publish(alice, two);
      after = storage.entries();
    });
    await alice.publish("public:chat", one);
    assert.deepEqual([before, after].map(([{ payload }]) => payload), [one, two]);
    await until("both are sent", async () => (await stored(alice)).length === 2);
    assert.deepEqual(alice.warnings, []);
  });

  it("is folded into one array when nothing happens for a while", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    const client = await page(t, server, "alice", storage);
    await client.connect();
    await server.kill();
    publish(client, 1, 2, 3);
    await until("it is folded", () => storage.getItem("offline_messages") !== null);
    assert.deepEqual(JSON.parse(storage.getItem("offline_messages")).map(({ payload }) => payload), [1, 2, 3]);
    assert.deepEqual(storage.keys("offline_messages:"), []);
    await server.run();
    await until("the array is gone", () => storage.getItem("offline_messages") === null);
    assert.deepEqual(await stored(client), [1, 2, 3]);
  });

  it("never sends under one login what another left", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    await leave(t, server, "alice", storage, "of alice");
    const bob = await page(t, server, "bob", storage);
    await bob.connect();
    await bob.publish("public:chat", "of bob");
    assert.deepEqual(await stored(bob), ["of bob"]);
    assert.deepEqual(storage.entries().map(({ payload }) => payload), ["of alice"]);
    bob.disconnect();

    const alice = await page(t, server, "alice", storage);
    await alice.connect();
    await until("hers is sent", async () => (await stored(alice)).length === 2);
    const { messages } = await alice.history("public:chat");
    assert.notEqual(messages[0].from, messages[1].from);
  });

  it("knows whose an entry became, though an older form of it stands in the array", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    const old = { topic: "public:chat", payload: "of alice", timestamp: Date.now(), messageId: "msg_1_alice" };
    const { user } = await server.login("alice");
    storage.setItem("offline_messages", JSON.stringify([old]));
    storage.setItem("offline_messages:msg_1_alice", JSON.stringify({ ...old, user: user.userId, server: server.url }));
    const bob = await page(t, server, "bob", storage);
    await bob.connect();
    await bob.publish("public:chat", "of bob");
    assert.deepEqual(await stored(bob), ["of bob"]);
    const alice = await page(t, server, "alice", storage);
    await alice.connect();
    await until("hers is sent", async () => (await stored(alice)).length === 2);
    await until("nothing is kept", () => storage.entries().length === 0);
  });

  it("takes what the first protocol version left as the first login's", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    const old = (payload, ms) => ({ topic: "public:chat", payload, timestamp: Date.now() - 1_000 + ms });
    storage.setItem("offline_messages", JSON.stringify([old("first", 1), old("second", 2)]));
    const alice = await page(t, server, "alice", storage);
    await alice.connect();
    await until("both are sent", async () => (await stored(alice)).length === 2);
    assert.deepEqual(await stored(alice), ["first", "second"]);
    await until("nothing is kept", () => storage.entries().length === 0);
  });

  it("puts aside what it cannot read and keeps the rest", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    const good = { topic: "public:chat", payload: "good", timestamp: Date.now(), messageId: "msg_1_good" };
    storage.setItem("offline_messages", JSON.stringify([good, null, 7, { topic: 1 }, { __proto__: null, payload: 1 }]));
    storage.setItem("offline_messages:msg_1_broken", '{"topic":');
    const alice = await page(t, server, "alice", storage);
    await alice.connect();
    await until("the good one is sent", async () => (await stored(alice)).length === 1);
    assert.deepEqual(await stored(alice), ["good"]);
    assert.deepEqual(alice.warnings, ["storage_corrupt"]);
    const aside = storage.keys("offline_messages:corrupt:").map((key) => storage.getItem(key));
    assert.ok(aside.includes('{"topic":'));
    assert.equal(aside.length, 5);
    assert.equal(storage.getItem("offline_messages:msg_1_broken"), null);
  });

  it("gives up what it put aside where a message needs its room", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    storage.quota = 5_000;
    storage.setItem("offline_messages", `"${"x".repeat(4_500)}"`);
    const alice = await page(t, server, "alice", storage);
    await alice.connect();
    assert.equal(storage.keys("offline_messages:corrupt:").length, 1);
    await server.kill();
    publish(alice, "y".repeat(300));
    await until("it is kept", () => storage.entries().length === 1);
    assert.deepEqual(storage.keys("offline_messages:corrupt:"), []);
    assert.deepEqual(alice.warnings, ["storage_corrupt"]);
  });

  it("survives content that is no array at all", async (t) => {
    const server = await Server.start(t);
    for (const content of ["null", "{}", '"text"', "{not json", "[".repeat(5_000)]) {
      const storage = new FakeStorage();
      storage.setItem("offline_messages", content);
      const alice = await page(t, server, "alice", storage);
      await alice.connect();
      await alice.publish("public:chat", "goes on");
      const aside = storage.keys("offline_messages:corrupt:").map((key) => storage.getItem(key));
      assert.deepEqual(aside, [content]);
      alice.disconnect();
    }
  });

  it("goes on in memory, and says so once, where storage is full or missing", async (t) => {
    const server = await Server.start(t);
    const full = new FakeStorage();
    full.setItem("of the application", "x".repeat(1_000));
    full.quota = 1_200;
    const broken = {
      getItem() {
        throw new Error("SecurityError");
      },
      setItem() {
        throw new Error("SecurityError");
      },
    };
    for (const [storage, warning] of [[full, "storage_full"], [broken, "storage_unavailable"]]) {
      const alice = await page(t, server, "alice", storage);
      await alice.connect();
      await Promise.all([1, 2, 3].map((n) => alice.publish("public:chat", `${n}`.padEnd(300))));
      assert.deepEqual(alice.warnings, [warning]);
      alice.disconnect();
    }
    const silent = await page(t, server, "alice", null);
    await silent.connect();
    await silent.publish("public:chat", "kept in memory by choice");
    assert.deepEqual(silent.warnings, []);
  });

  it("is sent by one of many tabs", async (t) => {
    const server = await Server.start(t);
    const storage = new FakeStorage();
    const payloads = Array.from({ length: 60 }, (_, n) => n);
    await leave(t, server, "alice", storage, ...payloads);
    const sent = [];
    const tabs = await Promise.all([1, 2, 3].map(() => page(t, server, "alice", storage)));
    for (const tab of tabs) tab.on("ack", ({ clientMessageId, duplicate }) => sent.push([clientMessageId, duplicate]));
    await Promise.all(tabs.map((tab) => tab.connect()));
    await until("nothing is kept", () => storage.entries().length === 0);
    await until("no tab waits", () => tabs.every((tab) => tab.getStats().queueSize === 0));
    assert.deepEqual(await stored(tabs[0]), payloads);
    assert.equal(new Set(sent.map(([id]) => id)).size, payloads.length);
    assert.equal(sent.filter(([, duplicate]) => duplicate).length, 0);
  });

  it("reports what it drops: the oldest of too many, and what waited too long", async (t) => {
    const server = await Server.start(t);
    const alice = await page(t, server, "alice", new FakeStorage(), { queue: { size: 2, expiryMs: 300 } });
    await alice.connect();
    await server.kill();
    await until("alice noticed", () => alice.state === "reconnecting");
    const codes = [];
    for (const text of ["a", "b", "c"]) alice.publish("public:chat", text).catch(({ code }) => codes.push([text, code]));
    await until("all are settled", () => codes.length === 3);
    assert.deepEqual(codes, [["a", "queue_overflow"], ["b", "queue_expired"], ["c", "queue_expired"]]);
  });
});
