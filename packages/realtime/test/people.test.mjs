/** Who is on a channel and how far it is read, kept by a channel's object through everything. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { WebSocket } from "ws";

import { Server } from "../../../tests/support/server.mjs";
import { installed } from "./support/installed.mjs";
import { member } from "./support/member.mjs";
import { until } from "./support/until.mjs";

describe("a channel's people", () => {
  const here = installed();

  /** A connected client whose sockets can be cut. */
  async function connected(t, server, name) {
    const sockets = [];
    class Watched extends WebSocket {
      constructor(...args) {
        super(...args);
        sockets.push(this);
      }
    }
    const client = await member(t, here.bmt, server, name, { webSocket: Watched });
    client.cut = () => sockets.at(-1).terminate();
    await client.connect();
    return client;
  }

  const names = (channel) => channel.present.map(({ name }) => name.toLowerCase()).sort().join();

  it("are right through coming, going, a cut and a restart", async (t) => {
    const server = await Server.start(t);
    const [alice, bob] = await Promise.all([connected(t, server, "alice"), connected(t, server, "bob")]);
    const chat = alice.channel("public:chat");
    assert.deepEqual([chat.present, chat.unread, chat.readSeq], [[], 0, 0]);
    const told = [];
    for (const event of ["subscribed", "presence"]) chat.on(event, () => told.push([event, names(chat)]));
    await chat.subscribe(undefined, { presence: true });
    assert.equal(names(chat), "alice");
    await bob.subscribe("public:chat");
    await until("bob is there", () => names(chat) === "alice,bob");
    assert.deepEqual(told, [["subscribed", "alice"], ["presence", "alice,bob"]], "told when it is so");

    await bob.unsubscribe("public:chat");
    await until("bob has left", () => names(chat) === "alice");
    await bob.subscribe("public:chat");
    await until("bob is back", () => names(chat) === "alice,bob");
    // Bob goes while alice is away: nobody tells her of it.
    alice.cut();
    await until("alice noticed", () => alice.state === "reconnecting");
    bob.disconnect();
    await until("alice is back", () => alice.connected && told.at(-1)[0] === "subscribed");
    await until("only she is there", () => names(chat) === "alice", 15_000);

    await server.kill();
    await server.run();
    await bob.connect();
    await until("both are there", () => names(chat) === "alice,bob");
    await chat.unsubscribe();
    assert.deepEqual(chat.present, []);
  });

  it("have read as far as they say, before and after the subscription", async (t) => {
    const server = await Server.start(t);
    const [alice, bob] = await Promise.all([connected(t, server, "alice"), connected(t, server, "bob")]);
    for (const n of [1, 2, 3]) await alice.publish("public:chat", n);
    const there = bob.channel("public:chat");
    await there.subscribe();
    assert.deepEqual([there.unread, there.readSeq], [3, 0]);
    await there.markRead(2);
    assert.deepEqual([there.unread, there.readSeq], [1, 2]);

    const chat = alice.channel("public:chat");
    await chat.subscribe(undefined, { readers: true });
    const bobsId = bob.user.userId;
    assert.deepEqual([...chat.readers], [[bobsId, 2]], "what was read before");
    assert.equal(chat.unread, 0, "her own");
    await there.markRead(3);
    await until("the receipt came", () => chat.readers.get(bobsId) === 3);
    await alice.publish("public:chat", 4);
    await alice.publish("public:chat", { type: "reaction", target: "nothing", emoji: "x", on: true }).catch(() => {});
    await until("bob has one to read", () => there.unread === 1);

    // Bob's other device reads, and what he missed while he was cut off counts once.
    const other = await connected(t, server, "bob");
    await other.markRead("public:chat", 4);
    await until("it is read here too", () => there.unread === 0 && there.readSeq === 4);
    bob.cut();
    await until("bob noticed", () => bob.state === "reconnecting");
    for (const n of [5, 6]) await alice.publish("public:chat", n);
    await until("bob is back", () => bob.connected);
    await until("both are to be read", () => there.unread === 2);
    await alice.publish("public:chat", 7);
    await until("and one more", () => there.unread === 3);
  });

  it("are asked for behind the subscriptions that come back", async (t) => {
    const server = await Server.start(t);
    const alice = await connected(t, server, "alice");
    await alice.subscribe("public:chat", undefined, { presence: true });
    const lists = [];
    alice.on("connected", () => void alice.presence("public:chat").then(({ users }) => lists.push(users.length)));
    for (const round of [1, 2, 3]) {
      await server.kill();
      await server.run();
      await until("it was asked", () => lists.length === round);
    }
    assert.deepEqual(lists, [1, 1, 1], "she is there when she asks");
  });
});
