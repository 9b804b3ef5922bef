/** The hooks in React 19, mounted twice as its StrictMode does in development. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";

import { JSDOM } from "jsdom";
import { WebSocket } from "ws";

import { Server } from "../../../tests/support/server.mjs";
import { installed } from "./support/installed.mjs";
import { FAST, member } from "./support/member.mjs";
import { until } from "./support/until.mjs";

describe("the hooks", () => {
  const here = installed({ also: ["react", "react-dom", "scheduler"] });
  let React, createRoot, hooks, bmt, window;

  before(async () => {
    // React DOM asks for a document when it is loaded, and for nothing else of a page that these tests use.
    ({ window } = new JSDOM("<!doctype html><div></div>"));
    globalThis.window = window;
    globalThis.document = window.document;
    // Node has one from version 21.
    globalThis.navigator ??= window.navigator;
    globalThis.IS_REACT_ACT_ENVIRONMENT = false;
    const entry = path.join(here.project, "hooks.mjs");
    await writeFile(
      entry,
      `export { default as React } from "react";
       export { createRoot } from "react-dom/client";
       export * as hooks from "@bmt/realtime/react";
       export * as bmt from "@bmt/realtime";`,
    );
    ({ React, createRoot, hooks, bmt } = await import(pathToFileURL(entry)));
  });
  after(() => {
    bmt.Realtime.disconnect();
    window.close();
    delete globalThis.window;
    delete globalThis.document;
  });

  /** Renders a component that calls `use` with its props, strictly; `seen.now` is what it returned last. */
  function mount(t, use, props, around = (children) => children) {
    const seen = { now: undefined, renders: 0 };
    const Component = (given) => {
      seen.renders++;
      seen.now = use(given);
      return null;
    };
    const root = createRoot(document.createElement("div"));
    seen.render = (given) =>
      root.render(React.createElement(React.StrictMode, null, around(React.createElement(Component, given))));
    seen.unmount = () => root.unmount();
    t.after(seen.unmount);
    seen.render(props);
    return seen;
  }

  it("connect with a token, once, and let go with the component", async (t) => {
    const server = await Server.start(t);
    const bob = await member(t, bmt, server, "bob");
    await bob.connect();
    const { accessToken } = await server.login("alice");
    const opened = [];
    class Watched extends WebSocket {
      constructor(...args) {
        super(...args);
        opened.push(this);
      }
    }
    const options = { webSocket: Watched, ...FAST };
    const seen = mount(t, ({ token }) => hooks.useRealtime(server.url, token, options), { token: null });
    await until("it is rendered", () => seen.renders > 0);
    assert.deepEqual([seen.now.client, seen.now.connected, seen.now.error], [null, false, null]);
    assert.equal(await seen.now.subscribe("public:chat"), undefined);

    seen.render({ token: accessToken });
    await until("it is connected", () => seen.now.connected);
    assert.equal(opened.length, 1);
    assert.equal(seen.now.client.user.name.toLowerCase(), "alice");
    await seen.now.subscribe("public:chat");
    await seen.now.publish("public:chat", { n: 1 });
    await bob.publish("public:chat", { n: 2 });
    await until("both came", () => seen.now.messages.length === 2);
    assert.deepEqual(seen.now.messages.map(({ payload }) => payload.n), [1, 2]);
    seen.now.clearMessages();
    await until("they are gone", () => seen.now.messages.length === 0);

    await assert.rejects(seen.now.subscribe("private:board"), { code: "permission_denied" });
    const { client } = seen.now;
    seen.unmount();
    await until("it has left", () => client.state === "disconnected");
    await until("the socket is closed", () => opened.every(({ readyState }) => readyState === WebSocket.CLOSED));
  });

  it("say why there is no connection, and forget it with the next", async (t) => {
    const server = await Server.start(t);
    const { accessToken } = await server.login("alice");
    const seen = mount(t, ({ token }) => hooks.useRealtime(server.url, token, FAST), { token: "no.such.token" });
    await until("it says so", () => seen.now?.error);
    assert.match(seen.now.error, /Authentication failed/);
    assert.equal(typeof seen.now.error, "string");
    seen.render({ token: accessToken });
    await until("it is connected", () => seen.now.connected);
    assert.equal(seen.now.error, null);
  });

  it("keep the functions they return while nothing changes", async (t) => {
    const server = await Server.start(t);
    const { accessToken } = await server.login("alice");
    const seen = mount(t, () => hooks.useRealtime(server.url, accessToken, { ...FAST }), {});
    await until("it is connected", () => seen.now?.connected);
    const { subscribe, publish, clearMessages, client } = seen.now;
    seen.render({ again: true });
    const renders = seen.renders;
    await until("it is rendered again", () => seen.renders > renders);
    for (const [name, kept] of Object.entries({ subscribe, publish, clearMessages, client })) {
      assert.equal(seen.now[name], kept, name);
    }
  });

  it("show a channel of the client around them, and follow its name", async (t) => {
    const server = await Server.start(t);
    const alice = await member(t, bmt, server, "alice");
    await alice.connect();
    await alice.publish("public:one", "before");
    const around = (children) => React.createElement(hooks.RealtimeContext, { value: alice }, children);
    const seen = mount(t, ({ topic }) => hooks.useChannel(topic, { history: 10 }), { topic: "public:one" }, around);
    await until("it is subscribed", () => seen.now?.subscribed);
    await until("what came before is there", () => seen.now.messages.length === 1);
    await seen.now.publish("after");
    await until("both came", () => seen.now.messages.length === 2);
    assert.deepEqual(seen.now.messages.map(({ payload }) => payload), ["before", "after"]);
    assert.equal(alice.getStats().subscriptions, 1);

    seen.render({ topic: "private:board" });
    await until("it is refused", () => seen.now.error);
    assert.deepEqual([seen.now.messages, seen.now.subscribed], [[], false]);
    seen.render({ topic: "public:two" });
    await until("it is subscribed", () => seen.now.subscribed);
    assert.equal(seen.now.error, null);
    assert.equal(alice.getStats().subscriptions, 1);
    seen.unmount();
    await until("nothing is subscribed", () => alice.getStats().subscriptions === 0);
  });

  it("say that a subscription is over when the server ends it, and why", async (t) => {
    const server = await Server.start(t);
    let permissions = ["channel:private:board"];
    const auth = () => server.token({ sub: "carol", permissions });
    const carol = new bmt.RealtimeClient(server.url, { auth, ...FAST });
    t.after(() => carol.disconnect());
    await carol.connect();
    const seen = mount(t, () => hooks.useChannel("private:board", { client: carol }), {});
    const people = mount(t, () => hooks.usePresence("private:board", { client: carol }), {});
    await until("it is subscribed", () => seen.now?.subscribed && people.now?.count === 1);
    assert.equal(seen.now.error, null);
    permissions = [];
    await server.kill();
    await server.run();
    await until("it is over", () => !seen.now.subscribed && people.now.error);
    assert.match(seen.now.error, /private:board/);
    assert.deepEqual(people.now.users, []);
    // A new component asks anew.
    permissions = ["channel:private:board"];
    await server.kill();
    await server.run();
    await until("it is connected", () => carol.isConnected());
    const again = mount(t, () => hooks.useChannel("private:board", { client: carol }), {});
    await until("it is subscribed", () => again.now?.subscribed);
    await again.now.publish(1);
    await until("it came", () => again.now.messages.length === 1);
    assert.deepEqual(seen.now.messages, []);
  });

  it("hold one subscription of a channel, however often a component asks for it", async (t) => {
    const server = await Server.start(t);
    const { accessToken } = await server.login("alice");
    let asked = 0;
    const seen = mount(
      t,
      () => {
        const realtime = hooks.useRealtime(server.url, accessToken, FAST);
        const { connected, subscribe } = realtime;
        React.useEffect(() => {
          if (connected) void subscribe("public:chat").then(() => asked++);
        }, [connected, subscribe]);
        return realtime;
      },
      {},
    );
    const subscribed = (times) => seen.now?.connected && asked >= times && seen.now.client.getStats().subscriptions === 1;
    for (const round of [1, 2]) {
      await until("it is subscribed", () => subscribed(round));
      await server.kill();
      await until("it is away", () => !seen.now.connected);
      await server.run();
      await until(`it is back, ${round}`, () => seen.now.connected);
    }
    await until("the component has asked once more", () => subscribed(3));
    const { unsubscribe } = await seen.now.subscribe("public:chat");
    await unsubscribe();
    assert.equal(seen.now.client.getStats().subscriptions, 0);
    // Nobody waits for this one, and the hook says why.
    void seen.now.subscribe("private:board");
    await until("it is refused", () => seen.now.error);
  });

  it("use the shared connection where there is no other", async (t) => {
    const server = await Server.start(t);
    const { accessToken } = await server.login("alice");
    await bmt.Realtime.connect({ url: server.url, auth: accessToken, ...FAST });
    const seen = mount(t, () => hooks.useChannel("public:chat", { maxMessages: 2 }), {});
    await until("it is subscribed", () => seen.now?.subscribed);
    for (const n of [1, 2, 3]) await seen.now.publish(n);
    await until("the newest are there", () => seen.now.messages.at(-1)?.payload === 3);
    assert.deepEqual(seen.now.messages.map(({ payload }) => payload), [2, 3]);
    seen.unmount();
    bmt.Realtime.disconnect();
  });

  it("list who is present, through their coming, their going and a restart", async (t) => {
    const server = await Server.start(t);
    const [alice, bob] = await Promise.all([member(t, bmt, server, "alice"), member(t, bmt, server, "bob")]);
    await Promise.all([alice.connect(), bob.connect()]);
    const seen = mount(t, () => hooks.usePresence("public:chat", { client: alice }), {});
    const names = () => seen.now?.users.map(({ name }) => name.toLowerCase()).sort().join();
    await until("alice is there", () => names() === "alice");
    const { unsubscribe } = await bob.subscribe("public:chat");
    await until("bob is there too", () => names() === "alice,bob");
    assert.equal(seen.now.count, 2);
    await unsubscribe();
    await until("bob has left", () => names() === "alice");
    await server.kill();
    await server.run();
    await bob.subscribe("public:chat");
    await until("both are there", () => names() === "alice,bob");
  });
});
