/** Tabs that share a connection where there are no Web Locks, as on plain http: by a lease in storage. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { esbuild } from "./support/bundlers.mjs";
import { connections } from "./support/connections.mjs";
import { installed } from "./support/installed.mjs";
import { member } from "./support/member.mjs";
import { launch, open, serve } from "./support/page.mjs";
import { enter, look } from "./support/tab.mjs";
import { until } from "./support/until.mjs";

describe("tabs without Web Locks", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await esbuild(here.project);
  });

  /** A server, tabs of one browser that alice is in, and bob, who publishes somewhere else. */
  async function setUp(t, count, prepare = () => {}) {
    const server = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0" });
    const address = await serve(t, site);
    const context = await (await launch(t)).newContext();
    await context.addInitScript(() => delete Navigator.prototype.locks);
    const { accessToken } = await server.login("alice");
    const tabs = [];
    const join = async () => {
      const tab = await open(context, address);
      assert.equal(await look(tab, "'locks' in navigator"), false);
      if (tabs.length === 0) await tab.evaluate(prepare);
      await enter(tab, server.url, accessToken, { shared: true });
      tabs.push(tab);
      return tab;
    };
    for (let n = 0; n < count; n++) await join();
    const bob = await member(t, here.bmt, server, "bob");
    await bob.connect();
    const { accessToken: admin } = await server.login("admin");
    return { server, context, tabs, join, bob, admin, said: [] };
  }

  /** Bob says something, and every one of these tabs hears all that he has said, once. */
  async function say({ bob, said }, tabs) {
    said.push(`bob ${said.length}`);
    await bob.publish("public:chat", said.at(-1));
    for (const tab of tabs) {
      await until("it came", async () => (await look(tab, "received.length")) >= said.length);
      assert.deepEqual(await look(tab, "received.map(({ payload }) => payload)"), said);
    }
  }

  const leases = (tab) => look(tab, "Object.keys(localStorage).filter((key) => key.startsWith('bmt_tabs'))");

  // A page that waits for ever would let a test wait with it.
  const timeout = 120_000;

  it("are one connection, which another takes over when the one that leads is closed or crashes", { timeout }, async (t) => {
    const world = await setUp(t, 4);
    const [leader, second, third, fourth] = world.tabs;
    assert.equal(await connections(world), 1);
    assert.equal((await leases(second)).length, 1);
    await say(world, world.tabs);
    await leader.close();
    await say(world, [second, third, fourth]);
    await until("one connection again", async () => (await connections(world)) === 1);

    // Whichever of them leads now: where it is this one, nobody gives the lease back, and it ends.
    const crashed = second.waitForEvent("crash");
    const session = await world.context.newCDPSession(second);
    session.send("Page.crash").catch(() => {});
    await crashed;
    await say(world, [third, fourth]);
    await until("one connection again", async () => (await connections(world)) === 1, 20_000);
    const late = await world.join();
    assert.equal(await connections(world), 1);
    world.said.push("from the last");
    await look(late, "client.publish('public:chat', 'from the last')");
    for (const tab of [third, fourth]) {
      await until("it came", async () => (await look(tab, "received.length")) === world.said.length);
      assert.deepEqual(await look(tab, "received.map(({ payload }) => payload)"), world.said);
    }

    for (const tab of [third, fourth, late]) {
      assert.deepEqual(await look(tab, "warnings"), []);
      await look(tab, "client.disconnect()");
    }
    await until("nobody is connected", async () => (await connections(world)) === 0);
    assert.deepEqual(await leases(late), []);
  });

  it("share nothing where storage is too full for a lease, and rob each other of nothing", { timeout }, async (t) => {
    const fill = () => {
      for (let [text, n] = ["x".repeat(1 << 20), 0]; text.length > 0; n++) {
        try {
          localStorage.setItem(`of the application ${n}`, text);
        } catch {
          text = text.slice(0, text.length >> 1);
        }
      }
    };
    const world = await setUp(t, 3, fill);
    for (let n = 0; n < 30; n++) await say(world, world.tabs);
    assert.equal(await connections(world), 3);
    for (const tab of world.tabs) {
      assert.equal(await look(tab, "client.getStats().reconnectCount"), 0);
      assert.deepEqual(await look(tab, "warnings.filter((code) => code === 'not_shared')"), ["not_shared"]);
      assert.deepEqual(await leases(tab), []);
    }
    // With room again, the next connection is shared again.
    await look(world.tabs[0], "localStorage.clear()");
    for (const tab of world.tabs) {
      await look(tab, "client.disconnect()");
      await look(tab, "client.connect().then(() => {})");
    }
    await until("they share", async () => (await connections(world)) === 1);
    await say(world, world.tabs);
  });
});
