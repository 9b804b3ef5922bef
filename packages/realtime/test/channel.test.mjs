/** Channels as objects, loops over them, handlers of actions, and the debug mode. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { installed } from "./support/installed.mjs";
import { FAST, member } from "./support/member.mjs";
import { until } from "./support/until.mjs";

describe("a channel", () => {
  const here = installed();

  /** Connected clients of a new server, one for each name. */
  async function connected(t, ...names) {
    const server = await Server.start(t);
    const clients = await Promise.all(names.map((name) => member(t, here.bmt, server, name)));
    await Promise.all(clients.map((client) => client.connect()));
    return [...clients, server];
  }

  const subscriptions = (client) => client.getStats().subscriptions;

  it("is the same object each time, and subscribes to nothing by being asked for", async (t) => {
    const [alice] = await connected(t, "alice");
    const chat = alice.channel("public:chat");
    assert.equal(alice.channel("public:chat"), chat);
    assert.notEqual(alice.channel("public:other"), chat);
    assert.equal(chat.name, "public:chat");
    assert.equal(subscriptions(alice), 0);
  });

  it("stays subscribed until the last who holds it lets go", async (t) => {
    const [alice, bob] = await connected(t, "alice", "bob");
    const chat = alice.channel("public:chat");
    const [first, second] = [[], []];
    const one = await chat.subscribe(({ payload }) => first.push(payload));
    const silent = await alice.subscribe("public:chat");
    const two = await chat.subscribe(({ payload }) => second.push(payload));
    await bob.publish("public:chat", 1);
    await until("both have it", () => first.length === 1 && second.length === 1);
    // One that has no handler takes nobody else's away.
    await silent.unsubscribe();
    await one.unsubscribe();
    await one.unsubscribe();
    assert.equal(subscriptions(alice), 1);
    await bob.publish("public:chat", 2);
    await until("the other still has it", () => second.length === 2);
    await two.unsubscribe();
    assert.equal(subscriptions(alice), 0);
    await bob.publish("public:chat", 3);
    assert.deepEqual([first, second], [[1], [1, 2]]);
  });

  it("calls a handler that was given twice once", async (t) => {
    const [alice] = await connected(t, "alice");
    const received = [];
    const handler = ({ payload }) => received.push(payload);
    await alice.subscribe("public:chat", handler);
    await alice.subscribe("public:chat", handler);
    await alice.publish("public:chat", "once");
    await until("it came", () => received.length > 0);
    await alice.publish("public:chat", "twice");
    await until("the other came", () => received.includes("twice"));
    assert.deepEqual(received, ["once", "twice"]);
  });

  it("is subscribed anew where one leaves and another comes in one breath", async (t) => {
    const [alice] = await connected(t, "alice");
    const received = [];
    const first = await alice.subscribe("public:chat", () => {});
    const left = first.unsubscribe();
    await alice.subscribe("public:chat", ({ payload }) => received.push(payload));
    await left;
    assert.equal(subscriptions(alice), 1);
    await alice.publish("public:chat", "here");
    await until("it came", () => received.length === 1);
  });

  it("publishes, pages, lists, reads and signals under its name", async (t) => {
    const [alice, bob] = await connected(t, "alice", "bob");
    const [here, there] = [alice.channel("public:chat"), bob.channel("public:chat")];
    const heard = [];
    for (const name of ["message", "signal", "receipt", "presence"]) there.on(name, (body) => heard.push([name, body]));
    bob.channel("public:other").on("message", () => heard.push(["other"]));
    await there.subscribe(undefined, { presence: true });
    await here.subscribe();
    const { seq } = await here.publish("hello");
    await here.signal({ typing: true });
    await here.markRead(seq);
    await until("bob has heard all", () => new Set(heard.map(([name]) => name)).size === 4);
    assert.ok(!heard.some(([name]) => name === "other"));
    assert.deepEqual((await there.history({ limit: 1 })).messages.map(({ payload }) => payload), ["hello"]);
    assert.equal((await there.presence()).count, 2);
  });

  it("is looped over in order, and left with the loop", async (t) => {
    const [alice, bob] = await connected(t, "alice", "bob");
    const stream = alice.channel("public:chat").messages();
    await until("alice is subscribed", async () => (await bob.presence("public:chat")).count === 1);
    for (let n = 1; n <= 5; n++) await bob.publish("public:chat", n);
    const seen = [];
    for await (const { payload } of stream) {
      seen.push(payload);
      if (payload === 4) break;
    }
    assert.deepEqual(seen, [1, 2, 3, 4]);
    await until("nothing is subscribed", () => subscriptions(alice) === 0);
    assert.deepEqual(await stream.next(), { done: true, value: undefined });
  });

  it("ends a loop with the reason: refused, or aborted", async (t) => {
    const [alice] = await connected(t, "alice");
    const read = async (stream) => {
      for await (const message of stream) assert.fail(message);
    };
    await assert.rejects(read(alice.channel("private:board")), { code: "permission_denied", topic: "private:board" });
    const abort = new AbortController();
    const reading = read(alice.channel("public:chat").messages({ signal: abort.signal }));
    abort.abort();
    await assert.rejects(reading, { code: "aborted" });
    await until("nothing is subscribed", () => subscriptions(alice) === 0);
  });

  /** A right to a private channel that is lost: with the connection, or on the living one by a new token. */
  const BOARD = "private:board";
  const permissions = (may) => ({ sub: "carol", permissions: may ? [`channel:${BOARD}`] : [] });
  const losses = {
    "refused after a reconnect": {
      claims: permissions,
      lose: async (server) => {
        await server.kill();
        await server.run();
      },
    },
    // The server says 30 s before the end that a token ends, and is given the next.
    "taken away": {
      claims: (may) => ({ ...permissions(may), exp: Math.floor(Date.now() / 1000) + (may ? 32 : 600) }),
      lose: async () => {},
    },
  };
  for (const [how, { claims, lose }] of Object.entries(losses)) {
    it(`lets its handlers go when it is ${how}, so that whoever subscribes anew is called once`, async (t) => {
      const server = await Server.start(t);
      let may = true;
      const auth = () => server.token(claims(may));
      const carol = new here.bmt.RealtimeClient(server.url, { auth, ...FAST });
      t.after(() => carol.disconnect());
      await carol.connect();
      const [received, over] = [[], []];
      carol.on("unsubscribed", ({ topic, code }) => over.push([topic, code]));
      const old = await carol.subscribe(BOARD, ({ payload }) => received.push(["old", payload]));
      const loop = (async () => {
        for await (const message of carol.channel(BOARD)) assert.fail(message);
      })();
      const ended = assert.rejects(loop, { code: "permission_denied", topic: BOARD });
      may = false;
      await lose(server);
      await until("it is over", () => over.length > 0);
      await ended;
      assert.deepEqual(over, [[BOARD, "permission_denied"]]);
      assert.equal(subscriptions(carol), 0);

      may = true;
      await carol.connect(() => server.token(permissions(true)));
      await server.kill();
      await server.run();
      await until("it is back", () => carol.isConnected());
      await carol.subscribe(BOARD, ({ payload }) => received.push(["new", payload]));
      await carol.publish(BOARD, 1);
      await until("it came", () => received.some(([name]) => name === "new"));
      // Undoing what is over takes nothing from the new one.
      await old.unsubscribe();
      await carol.publish(BOARD, 2);
      await until("the other came", () => received.some(([, payload]) => payload === 2));
      assert.deepEqual(received, [["new", 1], ["new", 2]]);
    });
  }

  it("hands actions to their handlers, and tells of those that fail", async (t) => {
    const [alice, bob] = await connected(t, "alice", "bob");
    const [done, errors] = [[], []];
    bob.on("error", (error) => errors.push(error));
    bob.registerHandler("new_message", () => {
      throw new Error("of the application");
    });
    bob.registerHandler("new_message", async () => Promise.reject(new Error("later")));
    const undo = bob.registerHandler("new_message", ({ data, sender }) => done.push([data, sender?.name]));
    bob.registerHandler("other", () => done.push("other"));
    await bob.subscribe("public:chat");
    const action = here.bmt.createMessage("new_message", { content: "hi" }, "text", { id: "1", name: "Alice" });
    await alice.publish("public:chat", action);
    await alice.publish("public:chat", "no action");
    await until("it was handled", () => done.length === 1 && errors.length === 2);
    assert.deepEqual(done, [[{ content: "hi" }, "Alice"]]);
    assert.deepEqual(errors.map(({ code, cause }) => [code, cause.message]).sort(), [
      ["handler_failed", "later"],
      ["handler_failed", "of the application"],
    ]);
    undo();
    await alice.publish("public:chat", action);
    await until("the others were called again", () => errors.length === 4);
    assert.equal(done.length, 1);
  });

  it("prints what it hears and says, where that is wanted", async (t) => {
    const server = await Server.start(t);
    const lines = [];
    const console = { debug: (line) => lines.push(line) };
    const alice = await member(t, here.bmt, server, "alice", { console });
    const { connectionId, user } = await alice.connect();
    assert.equal(connectionId, alice.connectionId);
    assert.equal(user.name.toLowerCase(), "alice");
    assert.equal(alice.user.userId, user.userId);
    await alice.subscribe("public:chat");
    await alice.publish("public:chat", "hello");
    await until("the message came", () => lines.includes("← message"));
    for (const line of ["← connected", "→ subscribe", "→ publish", "← ack"]) assert.ok(lines.includes(line), line);
  });
});
