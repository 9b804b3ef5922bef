/** The installed package in Chromium, built by Vite, under a strict content security policy. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { watchHost } from "./support/host.mjs";
import { installed } from "./support/installed.mjs";
import { buildPage, launch, open, serve } from "./support/page.mjs";
import { until } from "./support/until.mjs";

describe("the package in a browser", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await buildPage(here.project);
  });

  /** Makes `window.client` in a page: logged in, connected, with everything it receives in `window.received`. */
  async function connect(page, server, username) {
    const { accessToken } = await server.login(username);
    await page.evaluate(
      async ([url, auth]) => {
        window.client = new window.bmt.RealtimeClient(url, { auth, reconnect: { baseMs: 50, capMs: 200 } });
        window.received = [];
        window.acks = [];
        window.client.on("ack", (ack) => window.acks.push(ack));
        await window.client.connect();
        await window.client.subscribe("public:chat", ({ payload }) => window.received.push(payload));
      },
      [server.url, accessToken],
    );
  }

  const received = (page) => page.evaluate(() => window.received);
  const publish = (page, payload) => page.evaluate((payload) => window.client.publish("public:chat", payload), payload);

  async function stored(server) {
    const client = new here.bmt.RealtimeClient(server.url, { auth: (await server.login("admin")).accessToken });
    await client.connect();
    const { messages } = await client.history("public:chat", { limit: 200 });
    client.disconnect();
    return messages.map(({ payload }) => payload);
  }

  it("carries messages between two pages, with no set-up and no complaint", async (t) => {
    const server = await Server.start(t);
    const address = await serve(t, site);
    const browser = await launch(t);
    const [alice, bob] = await Promise.all([1, 2].map(async () => open(await browser.newContext(), address)));
    await connect(alice, server, "alice");
    await connect(bob, server, "bob");
    assert.equal((await publish(alice, { text: "你好" })).seq, 1);
    assert.equal((await publish(bob, { text: "hi" })).seq, 2);
    for (const page of [alice, bob]) {
      await until("the page has both", async () => (await received(page)).length === 2);
      assert.deepEqual(await received(page), [{ text: "你好" }, { text: "hi" }]);
      assert.deepEqual(page.complaints, []);
    }
  });

  it("publishes after a reload what was published while the server was dead", async (t) => {
    const server = await Server.start(t);
    const address = await serve(t, site);
    const browser = await launch(t);
    const page = await open(await browser.newContext(), address);
    await connect(page, server, "alice");
    const { accessToken } = await server.login("alice");
    await server.kill();
    await page.evaluate(() => {
      for (const text of ["one", "two", "three"]) void window.client.publish("public:chat", text);
    });
    await until("all are in storage", () => page.evaluate(() => localStorage.length >= 3));
    await page.reload();
    await page.waitForFunction(() => "bmt" in window);
    await server.run();
    await page.evaluate(
      async ([url, auth]) => {
        window.acks = [];
        window.client = new window.bmt.RealtimeClient(url, { auth });
        window.client.on("ack", (ack) => window.acks.push(ack.seq));
        await window.client.connect();
      },
      [server.url, accessToken],
    );
    await until("all are acked", () => page.evaluate(() => window.acks.length === 3));
    assert.deepEqual(await stored(server), ["one", "two", "three"]);
  });

  it("sends a shared queue from one of many tabs", async (t) => {
    const server = await Server.start(t);
    const address = await serve(t, site);
    const context = await (await launch(t)).newContext();
    const first = await open(context, address);
    await connect(first, server, "alice");
    await server.kill();
    await first.evaluate(() => {
      for (let n = 0; n < 40; n++) void window.client.publish("public:chat", n);
    });
    await until("all are in storage", () => first.evaluate(() => localStorage.length >= 40));
    await first.close();
    await server.run();
    const tabs = await Promise.all([1, 2, 3, 4, 5].map(() => open(context, address)));
    await Promise.all(tabs.map((tab) => connect(tab, server, "alice")));
    await until("nothing waits in any tab", async () => {
      const sizes = await Promise.all(tabs.map((tab) => tab.evaluate(() => window.client.getStats().queueSize)));
      return sizes.every((size) => size === 0);
    });
    assert.deepEqual(await stored(server), Array.from({ length: 40 }, (_, n) => n));
    const acks = (await Promise.all(tabs.map((tab) => tab.evaluate(() => window.acks)))).flat();
    assert.equal(new Set(acks.map(({ clientMessageId }) => clientMessageId)).size, 40);
    assert.equal(acks.filter(({ duplicate }) => duplicate).length, 0);
  });

  it("works in a worker, where there is no storage", async (t) => {
    const server = await Server.start(t);
    const address = await serve(t, site);
    const page = await open(await (await launch(t)).newContext(), address);
    const { accessToken } = await server.login("alice");
    const answer = await page.evaluate((args) => window.inWorker(...args), [server.url, accessToken, "from a worker"]);
    assert.deepEqual(answer, { seq: 1, warnings: ["storage_unavailable"] });
    assert.deepEqual(await stored(server), ["from a worker"]);
    assert.deepEqual(page.complaints, []);
  });

  it("speaks frames, and with any server, on the sockets of the page", async (t) => {
    const server = await Server.start(t);
    const address = await serve(t, site);
    const page = await open(await (await launch(t)).newContext(), address);
    const { accessToken } = await server.login("alice");
    const heard = await page.evaluate(
      async ([url, token]) => {
        const { WebSocketManager, WsClient } = window.bmt;
        const ws = new WsClient({ url: `${url}/api/v1/ws`, token });
        const framed = new Promise((resolve) => {
          ws.on("notification", (data, { topic, sequence }) => {
            // A handler may close what it hears from.
            ws.close();
            resolve([topic, sequence, data]);
          });
        });
        await ws.send("subscribe", { topic: "public:orders" });
        void ws.send("publish", { topic: "public:orders", payload: { type: "notification", content: "new" } });

        const plain = new WebSocketManager(`${url.replace("http", "ws")}/api/v1/ws?token=${token}`);
        const acked = new Promise((resolve) => {
          plain.on("message", ({ data }) => data.type === "ack" && resolve(data.data.topic));
        });
        plain.send(new Blob([]));
        plain.send({ type: "subscribe", data: { topic: "public:chat" } });
        plain.connect();
        const answers = [await framed, await acked, plain.getStats().messagesSent];
        plain.disconnect();
        return answers;
      },
      [server.url, accessToken],
    );
    assert.deepEqual(heard, [["public:orders", 1, "new"], "public:chat", 2]);
    assert.deepEqual(page.complaints, []);
  });

  it("leaves no listener, timer or open socket after disconnect()", async (t) => {
    const server = await Server.start(t);
    const address = await serve(t, site);
    const context = await (await launch(t)).newContext();
    await context.addInitScript(watchHost);
    const page = await open(context, address);
    const before = await page.evaluate(() => window.host());
    await connect(page, server, "alice");
    await publish(page, "hello");
    const during = await page.evaluate(() => window.host());
    assert.ok(during.listeners > before.listeners, JSON.stringify({ before, during }));
    assert.ok(during.timers > before.timers && during.sockets === 1, JSON.stringify({ before, during }));
    await page.evaluate(() => window.client.disconnect());
    await until("the socket is closed", async () => (await page.evaluate(() => window.host())).sockets === 0);
    assert.deepEqual(await page.evaluate(() => window.host()), before);
  });
});
