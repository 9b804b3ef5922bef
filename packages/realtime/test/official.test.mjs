/**
 * The cases of the official client's own tests that are about what a user of a client meets (reconnecting, `auth`,
 * callbacks, binary, `volatile`, `retries`, reasons of a disconnect), for this client: against our server, and against
 * the unmodified official one for Node.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { WebSocket } from "ws";

import { installed } from "./support/installed.mjs";
import { FAST } from "./support/member.mjs";
import { SERVERS } from "./support/servers.mjs";
import { FakeStorage } from "./support/storage.mjs";
import { until } from "./support/until.mjs";

/** Pings so short that a test can wait for a missing one. */
const HASTY = { BMT_HEARTBEAT__INTERVAL_MS: "300", BMT_HEARTBEAT__TIMEOUT_MS: "300" };

/** What an `ArrayBuffer` holds. */
const bytes = (buffer) => {
  assert.ok(buffer instanceof ArrayBuffer, String(buffer));
  return [...new Uint8Array(buffer)];
};

for (const [name, start] of Object.entries(SERVERS)) {
  describe(`a client of ${name}`, () => {
    const here = installed();

    /** A client of `server` whose sockets and events are kept; gone when the test ends. */
    function client(t, server, sub, options = {}) {
      const sockets = [];
      class Watched extends WebSocket {
        constructor(...args) {
          super(...args);
          sockets.push(this);
        }
      }
      const auth = server.token({ sub, name: sub });
      const made = new here.bmt.RealtimeClient(server.url, { auth, webSocket: Watched, ...FAST, ...options });
      made.sockets = sockets;
      made.heard = [];
      made.onAny((event, body) => made.heard.push([event, body]));
      t.after(() => made.disconnect());
      return made;
    }

    async function connected(t, server, sub, options) {
      const made = client(t, server, sub, options);
      await made.connect();
      return made;
    }

    const heard = (of, ...names) => of.heard.filter(([event]) => names.includes(event));

    it("comes back after a lost transport under another name, and tells the way", async (t) => {
      const server = await start(t);
      const alice = await connected(t, server, "alice");
      const before = alice.connectionId;
      alice.heard.length = 0;
      alice.sockets[0].terminate();
      await until("it is back", () => heard(alice, "reconnected").length === 1);
      const way = ["disconnected", "reconnecting", "connected", "reconnected"];
      assert.deepEqual(heard(alice, ...way).map(([event]) => event), way);
      const [[, end], [, plan], , [, { attempts }]] = heard(alice, ...way);
      assert.deepEqual([end.willReconnect, plan.attempt, attempts], [true, 1, 1]);
      assert.notEqual(alice.connectionId, before);
      assert.equal(alice.getStats().reconnectCount, 1);
    });

    it("connects again by hand after it left by hand, and has its subscriptions", async (t) => {
      const server = await start(t);
      const alice = await connected(t, server, "alice");
      const received = [];
      await alice.subscribe("public:chat", ({ payload }) => received.push(payload));
      for (const round of [1, 2]) {
        alice.disconnect();
        assert.equal(alice.state, "disconnected");
        assert.equal(heard(alice, "disconnected").at(-1)[1].willReconnect, false);
        await alice.connect();
        await alice.publish("public:chat", round);
        await until("its own came back", () => received.length === round);
      }
      assert.deepEqual(received, [1, 2]);
    });

    it("stays away where it is told to leave amid an attempt", async (t) => {
      const server = await start(t);
      const alice = await connected(t, server, "alice");
      await server.kill();
      await until("it tries", () => heard(alice, "reconnecting").length > 1);
      alice.disconnect();
      const { length } = alice.sockets;
      await server.run();
      const bob = await connected(t, server, "bob");
      await bob.publish("public:chat", "here");
      assert.deepEqual([alice.state, alice.sockets.length], ["disconnected", length]);
    });

    it("ends where the policy ends, and begins anew by hand", async (t) => {
      const server = await start(t);
      const alice = await connected(t, server, "alice", { reconnect: { baseMs: 20, capMs: 20, maxAttempts: 2 } });
      await server.kill();
      await until("it has given up", () => alice.state === "failed");
      assert.deepEqual(heard(alice, "reconnecting").map(([, { attempt }]) => attempt), [1, 2]);
      assert.deepEqual(heard(alice, "reconnectFailed"), [["reconnectFailed", { attempts: 2 }]]);
      await server.run();
      await alice.reconnect();
      await until("it is back", () => alice.connected);
    });

    it("does not try again where that is switched off", async (t) => {
      const server = await start(t);
      const alice = await connected(t, server, "alice", { reconnect: { enabled: false } });
      alice.sockets[0].terminate();
      await until("it is over", () => alice.state === "failed");
      assert.deepEqual(heard(alice, "reconnecting"), []);
      assert.equal(heard(alice, "disconnected")[0][1].willReconnect, false);
      assert.equal(alice.sockets.length, 1);
    });

    it("waits for a server that is not there yet", async (t) => {
      const server = await start(t);
      await server.kill();
      const alice = client(t, server, "alice");
      const connecting = alice.connect();
      await until("it has tried", () => heard(alice, "reconnecting").length > 1);
      await server.run();
      assert.match((await connecting).connectionId, /./);
      assert.equal(alice.user.userId, "alice");
    });

    it("takes its token as a text, from a function and from a promise", async (t) => {
      const server = await start(t);
      const token = server.token({ sub: "alice", name: "Alice" });
      for (const auth of [token, `Bearer ${token}`, () => token, async () => token]) {
        const alice = await connected(t, server, "alice", { auth });
        assert.equal(alice.user.userId, "alice");
      }
    });

    it("asks for another token after a refusal, once, and is let in with it", async (t) => {
      const server = await start(t);
      const tokens = ["no.such.token", server.token({ sub: "alice" })];
      const alice = await connected(t, server, "alice", { auth: () => tokens.shift() });
      assert.deepEqual([alice.connected, tokens.length, alice.sockets.length], [true, 0, 2]);
      assert.deepEqual(heard(alice, "tokenExpired"), []);
    });

    it("says why it is not let in, and knocks no more often than that makes sense", async (t) => {
      const server = await start(t);
      const refused = { code: "authentication_failed", message: /^Authentication failed: / };
      const fixed = client(t, server, "alice", { auth: "no.such.token" });
      await assert.rejects(fixed.connect(), refused);
      assert.equal(fixed.sockets.length, 1, "the same text would be refused again");
      let asked = 0;
      const provided = client(t, server, "alice", { auth: () => `no.such.token${++asked}` });
      await assert.rejects(provided.connect(), refused);
      assert.deepEqual([asked, provided.sockets.length], [2, 2]);
      for (const { heard } of [fixed, provided]) {
        assert.equal(heard.filter(([event]) => event === "tokenExpired").length, 1);
      }
      // Another login begins anew.
      await fixed.connect(server.token({ sub: "alice" }));
      assert.ok(fixed.connected);
    });

    it("is acknowledged for each publish, in whatever order that is waited for", async (t) => {
      const server = await start(t);
      const alice = await connected(t, server, "alice");
      const waiting = Array.from({ length: 50 }, (_, n) => alice.publish(`public:${n % 3}`, n));
      const seqs = (await Promise.all(waiting.reverse())).reverse().map(({ seq }) => seq);
      assert.deepEqual(seqs, waiting.map((_, n) => Math.floor(n / 3) + 1));
    });

    it("sends again what lost its answer with the connection, and it is published once", async (t) => {
      const server = await start(t);
      const [alice, bob] = await Promise.all([connected(t, server, "alice"), connected(t, server, "bob")]);
      const received = [];
      await bob.subscribe("public:chat", ({ payload }) => received.push(payload));
      for (let n = 1; n <= 5; n++) {
        const socket = alice.sockets.at(-1);
        // The answer is not heard: what comes after the frame has left ends the connection.
        socket.onmessage = () => socket.terminate();
        const published = await alice.publish("public:chat", n);
        assert.equal(published.seq, n);
      }
      await until("bob has all", () => received.length === 5);
      await bob.publish("public:chat", "last");
      await until("the last came too", () => received.includes("last"));
      assert.deepEqual(received, [1, 2, 3, 4, 5, "last"]);
    });

    it("carries binary of every kind both ways, each part in its place", async (t) => {
      const server = await start(t);
      for (const transports of [["websocket"], ["polling"]]) {
        const [alice, bob] = await Promise.all(
          ["alice", "bob"].map((sub) => connected(t, server, sub, { transports })),
        );
        const topic = `public:${transports[0]}`;
        const [received, signals] = [[], []];
        await bob.subscribe(topic, ({ payload }) => received.push(payload));
        bob.on("signal", ({ payload }) => signals.push(payload));
        const whole = Uint8Array.from({ length: 256 }, (_, n) => n);
        const payload = {
          text: "between",
          list: [whole.buffer, new DataView(whole.buffer, 3, 2), "你好"],
          deep: { slice: whole.subarray(250), node: Buffer.from([7, 8]), empty: new ArrayBuffer(0), when: new Date(0) },
        };
        await alice.publish(topic, payload);
        await alice.publish(topic, whole.buffer);
        await alice.signal(topic, { at: new Float32Array([1]) });
        await alice.publish(topic, "text again");
        await until("bob has all", () => received.length === 3 && signals.length === 1);
        const [mixed, alone, text] = received;
        assert.equal(mixed.text, "between");
        assert.deepEqual(mixed.list.slice(0, 2).map(bytes), [[...whole], [3, 4]]);
        assert.equal(mixed.list[2], "你好");
        const { slice, node, empty, when } = mixed.deep;
        assert.deepEqual([slice, node, empty].map(bytes), [[250, 251, 252, 253, 254, 255], [7, 8], []]);
        assert.equal(when, "1970-01-01T00:00:00.000Z");
        assert.deepEqual(bytes(alone), [...whole]);
        assert.deepEqual(bytes(signals[0].at), [0, 0, 128, 63]);
        assert.equal(text, "text again");
        assert.deepEqual([...whole.subarray(0, 3)], [0, 1, 2], "what was published is still its owner's");
      }
    });

    it("keeps binary for a server that is away, also for the next page", async (t) => {
      const server = await start(t);
      const bob = await connected(t, server, "bob");
      const received = [];
      await bob.subscribe("public:chat", ({ payload }) => received.push(payload));
      const storage = new FakeStorage();
      const first = await connected(t, server, "alice", { storage });
      await server.kill();
      await until("it noticed", () => first.state === "reconnecting");
      first.publish("public:chat", { part: Uint8Array.of(1, 2, 3) }).catch(() => {});
      await until("it is queued", () => first.getStats().queueSize === 1);
      first.disconnect();
      await server.run();
      // The official server brings nobody what was missed.
      await bob.publish("public:chat", "here");
      await until("bob is subscribed again", () => received.length === 1);
      await connected(t, server, "alice", { storage });
      await until("it came", () => received.length === 2);
      assert.deepEqual(bytes(received[1].part), [1, 2, 3]);
    });

    it("refuses at once what it cannot send as binary", async (t) => {
      const server = await start(t);
      const alice = await connected(t, server, "alice");
      await assert.rejects(alice.publish("public:chat", { file: new Blob(["x"]) }), {
        code: "invalid_message",
        message: /arrayBuffer\(\)/,
      });
      assert.equal(alice.getStats().queueSize, 0);
    });

    it("says what is volatile to who is there, and drops it while there is no connection", async (t) => {
      const server = await start(t);
      const [alice, bob] = await Promise.all([connected(t, server, "alice"), connected(t, server, "bob")]);
      const signals = [];
      bob.on("signal", ({ payload }) => signals.push(payload));
      await bob.subscribe("public:chat");
      await alice.signal("public:chat", 1);
      await until("it came", () => signals.length === 1);
      alice.sockets[0].terminate();
      await until("it is gone", () => alice.state === "reconnecting");
      await assert.rejects(alice.signal("public:chat", 2), { code: "not_connected", retryable: true });
      await until("it is back", () => alice.connected);
      await alice.signal("public:chat", 3);
      await until("the next came", () => signals.includes(3));
      assert.deepEqual(signals, [1, 3]);
    });

    it("gives a server up that falls silent, says so, and comes back to it", async (t) => {
      const server = await start(t, HASTY);
      const alice = await connected(t, server, "alice");
      process.kill(server.pid, "SIGSTOP");
      try {
        await until("it noticed", () => heard(alice, "disconnected").length > 0);
      } finally {
        process.kill(server.pid, "SIGCONT");
      }
      assert.equal(heard(alice, "disconnected")[0][1].reason, "ping timeout");
      await until("it is back", () => alice.connected);
    });

    it("tells a lost transport from one that was closed, by number", async (t) => {
      const server = await start(t);
      const alice = await connected(t, server, "alice");
      await server.kill();
      await until("it noticed", () => heard(alice, "disconnected").length === 1);
      const [, lost] = heard(alice, "disconnected")[0];
      assert.deepEqual([lost.code, lost.willReconnect], [here.bmt.CloseCode.ABNORMAL, true]);
      await server.run();
      await until("it is back", () => alice.connected);
      alice.disconnect();
      const [, closed] = heard(alice, "disconnected")[1];
      assert.deepEqual(closed, { code: 1000, reason: "client disconnect", willReconnect: false });
    });
  });
}
