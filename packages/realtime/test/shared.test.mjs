/** The connection that an application shares, subscriptions that are kept, and publishing that does not give up. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { installed } from "./support/installed.mjs";
import { FAST, member } from "./support/member.mjs";
import { FakeStorage } from "./support/storage.mjs";
import { until } from "./support/until.mjs";

describe("the shared connection", () => {
  const here = installed();
  afterEach(() => here.bmt.Realtime.disconnect());

  const shared = async (server, username = "alice") => ({
    url: server.url,
    auth: (await server.login(username)).accessToken,
    ...FAST,
  });

  it("carries messages for whoever uses it, without being passed on", async (t) => {
    const server = await Server.start(t);
    const { Realtime } = here.bmt;
    const [received, states] = [[], []];
    const undo = Realtime.onConnection(({ status }) => states.push(status));
    // Subscribed before there is anywhere to go.
    const early = Realtime.subscribe("public:chat", ({ payload }) => received.push(["early", payload]));
    await Realtime.connect(await shared(server));
    assert.equal((await early.ready).topic, "public:chat");
    const late = Realtime.subscribe("public:chat", ({ payload }) => received.push(["late", payload]));
    await late.ready;
    assert.equal((await Realtime.publish("public:chat", 1)).seq, 1);
    await until("both have it", () => received.length === 2);
    const { status, subscriptions, queueSize, reconnectCount } = Realtime.getStats();
    assert.deepEqual([status, subscriptions, queueSize, reconnectCount], ["connected", 2, 0, 0]);

    early.unsubscribe();
    early.unsubscribe();
    await Realtime.publish("public:chat", 2);
    await until("the other has it", () => received.length === 3);
    assert.deepEqual(received, [["early", 1], ["late", 1], ["late", 2]]);
    late.unsubscribe();
    assert.equal(Realtime.getStats().subscriptions, 0);
    Realtime.disconnect();
    undo();
    assert.deepEqual(states, ["connecting", "connected", "disconnected"]);
  });

  it("moves its subscriptions over when it is set up anew", async (t) => {
    const [first, second] = [await Server.start(t), await Server.start(t)];
    const { Realtime } = here.bmt;
    const received = [];
    const subscription = Realtime.subscribe("public:chat", ({ payload }) => received.push(payload));
    await Realtime.connect(await shared(first));
    await subscription.ready;
    await Realtime.publish("public:chat", "on the first");
    await until("it came", () => received.length === 1);
    await Realtime.connect(await shared(second));
    const bob = await member(t, here.bmt, second, "bob");
    await bob.connect();
    await until("it is subscribed there", async () => (await bob.presence("public:chat")).count === 1);
    await bob.publish("public:chat", "on the second");
    await until("it came too", () => received.length === 2);
    assert.deepEqual(received, ["on the first", "on the second"]);
    subscription.unsubscribe();
  });

  it("tells a refusal to whoever waits, and to whoever listens", async (t) => {
    const server = await Server.start(t);
    const { Realtime } = here.bmt;
    const failures = [];
    const undo = Realtime.onConnection(({ failure }) => failure && failures.push(failure.code));
    await Realtime.connect(await shared(server));
    const { ready } = Realtime.subscribe("private:board", () => {});
    await assert.rejects(ready, { code: "permission_denied" });
    assert.deepEqual(failures, ["permission_denied"]);
    assert.equal(Realtime.getStats().subscriptions, 0);
    undo();
  });

  it("tells once that a subscription is over, and counts it no more", async (t) => {
    const server = await Server.start(t);
    const { Realtime } = here.bmt;
    let permissions = ["channel:private:board"];
    const auth = () => server.token({ sub: "carol", permissions });
    await Realtime.connect({ url: server.url, auth, ...FAST });
    const [failures, received] = [[], []];
    const undo = Realtime.onConnection(({ failure }) => failure && failures.push([failure.code, failure.topic]));
    const first = Realtime.subscribe("private:board", ({ payload }) => received.push(["first", payload]));
    await first.ready;
    permissions = [];
    await server.kill();
    await server.run();
    await until("it is over", () => Realtime.getStats().subscriptions === 0);
    assert.deepEqual(failures, [["permission_denied", "private:board"]]);
    permissions = ["channel:private:board"];
    await server.kill();
    await server.run();
    await until("it is back", () => Realtime.client.isConnected());
    const second = Realtime.subscribe("private:board", ({ payload }) => received.push(["second", payload]));
    await second.ready;
    first.unsubscribe();
    await Realtime.publish("private:board", 1);
    await until("it came", () => received.length > 0);
    assert.deepEqual(received, [["second", 1]]);
    assert.equal(failures.length, 1);
    second.unsubscribe();
    undo();
  });

  it("says what to call where nothing was called", async () => {
    // A second copy of the package, which nobody has set up.
    const { Realtime } = await here.fresh();
    await assert.rejects(Realtime.publish("public:chat", 1), { code: "invalid_operation", message: /Realtime\.init/ });
    await assert.rejects(Realtime.connect(), { code: "invalid_operation" });
    assert.equal(Realtime.getStats().status, "disconnected");
    Realtime.disconnect();
  });

  it("hands actions to handlers that were registered before it was there", async (t) => {
    const server = await Server.start(t);
    const { Realtime, registerHandler, createMessage } = here.bmt;
    const done = [];
    const undo = registerHandler("ring", ({ data }) => done.push(data));
    await Realtime.connect(await shared(server));
    const subscription = Realtime.subscribe("public:chat", () => {});
    await subscription.ready;
    await Realtime.publish("public:chat", createMessage("ring", 3));
    await until("it rang", () => done.length === 1);
    assert.deepEqual(done, [3]);
    undo();
    subscription.unsubscribe();
  });

  it("is what safePublish publishes with", async (t) => {
    const server = await Server.start(t);
    const { Realtime, safePublish } = here.bmt;
    await Realtime.connect(await shared(server));
    const storage = new FakeStorage();
    assert.equal((await safePublish("public:chat", "hello", 3, { storage })).seq, 1);
    await assert.rejects(safePublish("system:news", "no", 3, { storage }), { code: "permission_denied" });
    const [failed] = JSON.parse(storage.getItem("failed_messages"));
    assert.equal(failed.topic, "system:news");
    assert.equal(failed.payload, "no");
    assert.equal(failed.error.code, "permission_denied");
    assert.equal(failed.user, Realtime.client.user.userId);
    assert.equal(failed.server, server.url);
  });
});

describe("a manager of subscriptions", () => {
  const here = installed();

  async function manager(t, server, username, options = {}) {
    const { accessToken } = await server.login(username);
    const made = new here.bmt.RealtimeManager(server.url, { auth: accessToken, retryMs: 100, ...FAST, ...options });
    t.after(() => made.disconnect());
    return made;
  }

  it("subscribes when it can, and takes handlers away one by one", async (t) => {
    const server = await Server.start(t);
    const alice = await manager(t, server, "alice");
    const received = [];
    const undo = alice.subscribe("public:chat", ({ payload }) => received.push(["one", payload]));
    const other = ({ payload }) => received.push(["other", payload]);
    alice.subscribe("public:chat", other);
    assert.deepEqual([...alice.subscriptions], [["public:chat", other]]);
    await alice.connect();
    await until("it is subscribed", async () => (await alice.client.presence("public:chat")).count === 1);
    await alice.publish("public:chat", 1);
    await until("both have it", () => received.length === 2);
    undo();
    await alice.publish("public:chat", 2);
    await until("the other has it", () => received.length === 3);
    alice.unsubscribe("public:chat", other);
    assert.equal(alice.subscriptions.size, 0);
    await alice.publish("public:chat", 3);
    assert.deepEqual(received, [["one", 1], ["other", 1], ["other", 2]]);
  });

  it("takes its handlers as a map too", async (t) => {
    const server = await Server.start(t);
    const alice = await manager(t, server, "alice");
    const received = [];
    const handler = (name) => ({ payload }) => received.push([name, payload]);
    alice.subscriptions.set("public:chat", handler("replaced"));
    alice.subscriptions.set("public:chat", handler("chat")).set("public:other", handler("other"));
    await alice.connect();
    await until("both are subscribed", () => alice.client.getStats().subscriptions === 2);
    await alice.publish("public:chat", 1);
    await alice.publish("public:other", 2);
    await until("both came", () => received.length === 2);
    assert.deepEqual(received, [["chat", 1], ["other", 2]]);
    assert.equal(alice.subscriptions.delete("public:chat"), true);
    assert.equal(alice.subscriptions.delete("public:chat"), false);
    await until("one is left", () => alice.client.getStats().subscriptions === 1);
    assert.deepEqual([...alice.subscriptions.keys()], ["public:other"]);
    alice.subscriptions.clear();
    assert.equal(alice.subscriptions.size, 0);
    await until("none is left", () => alice.client.getStats().subscriptions === 0);
  });

  it("comes back after the client has given up", async (t) => {
    const server = await Server.start(t);
    const alice = await manager(t, server, "alice", { reconnect: { baseMs: 10, capMs: 20, maxAttempts: 2 } });
    const received = [];
    alice.subscribe("public:chat", ({ payload }) => received.push(payload));
    await alice.connect();
    let failures = 0;
    alice.client.on("reconnectFailed", () => failures++);
    await server.kill();
    await until("the client gave up twice", () => failures >= 2);
    await server.run();
    await until("it is back", () => alice.client.isConnected());
    await alice.publish("public:chat", "back");
    await until("it came", () => received.length === 1);
  });

  it("waits for a server that is not there yet, and not for one that refuses", async (t) => {
    const server = await Server.start(t);
    const alice = await manager(t, server, "alice", { reconnect: { enabled: false } });
    await server.kill();
    const connecting = alice.connect();
    await until("one attempt has failed", () => alice.client.state === "failed");
    await server.run();
    await connecting;
    assert.ok(alice.client.isConnected());
    alice.disconnect();
    await assert.rejects(alice.connect("no.such.token"), { code: "authentication_failed" });
  });

  it("subscribes to what it was refused as soon as it may, from one login to the next", async (t) => {
    const server = await Server.start(t);
    const token = (...permissions) => server.token({ sub: "carol", permissions });
    const [denied, granted] = [token(), token("channel:private:board")];
    const carol = await manager(t, server, "alice");
    const received = [];
    carol.subscribe("private:board", ({ payload }) => received.push(payload));
    const subscribed = () => carol.client.getStats().subscriptions === 1;
    for (const round of [1, 2]) {
      await carol.connect(denied);
      await assert.rejects(carol.publish("private:board", "no"), { code: "permission_denied" });
      await until("it is not subscribed", () => !subscribed());
      carol.disconnect();
      await carol.connect(granted);
      await until("it is subscribed", subscribed);
      await until("it comes", async () => (await carol.publish("private:board", round)) && received.includes(round));
      carol.disconnect();
    }
  });

  it("hands each message on once, where a right was taken away and given back", async (t) => {
    const server = await Server.start(t);
    const right = { permissions: ["channel:private:board"] };
    let may = true;
    // The server says 30 s before the end that a token ends, and is given the next.
    const auth = () =>
      server.token({ sub: "carol", ...(may && right), exp: Math.floor(Date.now() / 1000) + (may ? 32 : 600) });
    const carol = await manager(t, server, "alice");
    const writer = new here.bmt.RealtimeClient(server.url, { auth: server.token({ sub: "dave", ...right }), ...FAST });
    t.after(() => writer.disconnect());
    await writer.connect();
    await writer.publish("private:board", 1);
    const received = [];
    carol.subscribe("private:board", ({ payload }) => received.push(payload), { history: 50 });
    let ends = 0;
    carol.client.on("unsubscribed", () => ends++);
    await carol.connect(auth);
    await until("the history came", () => received.length === 1);
    await writer.publish("private:board", 2);
    await until("it came live", () => received.length === 2);
    may = false;
    await until("the right is taken", () => ends === 1);
    await writer.publish("private:board", 3);
    may = true;
    await server.kill();
    await server.run();
    await until("it is given back", () => received.length >= 3);
    await writer.publish("private:board", 4);
    await until("all is as before", () => received.includes(4));
    assert.deepEqual(received, [1, 2, 3, 4]);
  });
});

describe("safePublish", () => {
  const here = installed();

  /** Publishes as `outcomes` say: an error rejects, anything else is what the server answers. */
  function publisher(...outcomes) {
    const calls = [];
    return {
      calls,
      serverUrl: "http://a.server",
      user: { userId: "7" },
      async publish(topic, payload, options) {
        calls.push({ at: performance.now(), options });
        const outcome = outcomes.shift();
        if (outcome instanceof Error) throw outcome;
        return outcome;
      },
    };
  }

  it("repeats under one id what may succeed later, after 1 s and 2 s", async () => {
    const { safePublish, RealtimeError } = here.bmt;
    const busy = () => new RealtimeError("busy", { code: "rate_limited", retryable: true });
    const client = publisher(busy(), busy(), { seq: 3 });
    assert.deepEqual(await safePublish("public:chat", 1, 3, { client, storage: null }), { seq: 3 });
    assert.equal(new Set(client.calls.map(({ options }) => options.messageId)).size, 1);
    const [first, second, third] = client.calls.map(({ at }) => at);
    assert.ok(second - first >= 990 && third - second >= 1_990, `${second - first} and ${third - second}`);
  });

  it("keeps what failed for good, the newest hundred", async () => {
    const { safePublish, RealtimeError } = here.bmt;
    const storage = new FakeStorage();
    storage.setItem("failed_messages", "[broken");
    for (let n = 0; n < 101; n++) {
      const client = publisher(new RealtimeError("no", { code: "permission_denied" }));
      await assert.rejects(safePublish("public:chat", n, 3, { client, storage }), { code: "permission_denied" });
      assert.equal(client.calls.length, 1);
    }
    const kept = JSON.parse(storage.getItem("failed_messages"));
    assert.equal(kept.length, 100);
    assert.equal(kept[0].payload, 1);
    assert.deepEqual([kept[99].user, kept[99].server], ["7", "http://a.server"]);
    const last = publisher(new RealtimeError("busy", { code: "rate_limited", retryable: true }));
    await assert.rejects(safePublish("public:chat", "last", 0, { client: last, storage }), { code: "rate_limited" });
    assert.equal(JSON.parse(storage.getItem("failed_messages")).at(-1).payload, "last");
  });

  it("ends by its signal, and keeps nothing then", async () => {
    const { safePublish, RealtimeError } = here.bmt;
    const storage = new FakeStorage();
    const abort = new AbortController();
    const client = publisher(new RealtimeError("busy", { code: "rate_limited", retryable: true }));
    const publishing = safePublish("public:chat", 1, 3, { client, storage, signal: abort.signal });
    setImmediate(() => abort.abort());
    await assert.rejects(publishing, { code: "aborted" });
    assert.equal(storage.getItem("failed_messages"), null);
  });
});
