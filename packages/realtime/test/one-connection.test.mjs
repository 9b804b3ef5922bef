/** Tabs of one browser that share a connection, in Chromium. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { connections } from "./support/connections.mjs";
import { installed } from "./support/installed.mjs";
import { member } from "./support/member.mjs";
import { buildPage, launch, open, serve } from "./support/page.mjs";
import { until } from "./support/until.mjs";

const TOPIC = "public:tabs";

describe("tabs that share a connection", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await buildPage(here.project);
  });

  /** Connects `window.client` in a page; what it receives of the channel is in `window.received`. */
  async function connect(page, server) {
    const { accessToken: auth } = await server.login("alice");
    await page.evaluate(
      async ([url, auth, topic]) => {
        const reconnect = { baseMs: 50, capMs: 200 };
        const shared = new window.bmt.RealtimeClient(url, { auth, reconnect, shared: true, heartbeatIntervalMs: 1_000 });
        Object.assign(window, { client: shared, received: [], acked: [] });
        await shared.connect();
        await shared.subscribe(topic, ({ payload }) => window.received.push(payload));
      },
      [server.url, auth, TOPIC],
    );
  }

  /** A server, three connected pages of one browser, and a publisher somewhere else. */
  async function setUp(t) {
    const server = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0" });
    const address = await serve(t, site);
    const context = await (await launch(t)).newContext();
    const pages = [];
    for (let n = 0; n < 3; n++) {
      pages.push(await open(context, address));
      await connect(pages[n], server);
    }
    const bob = await member(t, here.bmt, server, "bob");
    await bob.connect();
    const { accessToken } = await server.login("admin");
    return { server, address, context, pages, bob, admin: accessToken };
  }

  const received = (page) => page.evaluate(() => window.received);

  /** Bob and one of the pages publish while something happens; every page that is left gets all of it, once. */
  async function whileMessagesFlow(world, publisher, happening, left) {
    const said = [];
    let goesOn = true;
    const flow = (async () => {
      for (let n = 0; goesOn; n++) {
        await world.bob.publish(TOPIC, `bob ${n}`);
        said.push(`bob ${n}`);
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
    })();
    await publisher.evaluate((topic) => {
      window.published = [];
      window.stopped = new Promise((resolve) => (window.stop = resolve));
      let n = 0;
      const timer = setInterval(() => window.published.push(window.client.publish(topic, `tab ${n++}`)), 25);
      void window.stopped.then(() => clearInterval(timer));
    }, TOPIC);
    await happening();
    await until("one connection again", async () => (await connections(world)) === 1);
    const many = said.length + 20;
    await until("messages flow on", () => said.length >= many);
    goesOn = false;
    await flow;
    const seqs = await publisher.evaluate(async () => {
      window.stop();
      return (await Promise.all(window.published)).map(({ seq }) => seq);
    });
    assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b));
    const own = seqs.map((_, n) => `tab ${n}`);
    for (const page of left) {
      await until("all came", async () => (await received(page)).length >= said.length + own.length);
      const all = await received(page);
      assert.deepEqual(all.filter((text) => text.startsWith("bob")), said);
      assert.deepEqual(all.filter((text) => text.startsWith("tab")), own);
    }
    return seqs.length;
  }

  it("are one connection to the server, and each gets each message once", async (t) => {
    const world = await setUp(t);
    assert.equal(await connections(world), 1);
    const { seq } = await world.pages[2].evaluate((topic) => window.client.publish(topic, "from the third"), TOPIC);
    assert.equal(seq, 1);
    await world.bob.publish(TOPIC, "from bob");
    for (const page of world.pages) {
      await until("it has both", async () => (await received(page)).length === 2);
      assert.deepEqual(await received(page), ["from the third", "from bob"]);
      assert.deepEqual(page.complaints, []);
    }
    await world.pages[1].evaluate(() => window.client.disconnect());
    await world.pages[2].evaluate(() => window.client.disconnect());
    assert.equal(await connections(world), 1, "followers take nothing with them");
    await world.pages[0].evaluate(() => window.client.disconnect());
    await until("the last one closes it", async () => (await connections(world)) === 0);
    assert.deepEqual(await locks(world.pages[0]), []);
  });

  it("carry binary over the one that leads, both ways and from one to the next", async (t) => {
    const world = await setUp(t);
    const [, second, third] = world.pages;
    const numbers = (page) =>
      page.evaluate(() => window.received.map(({ parts }) => parts.map((part) => [part.constructor.name, ...new Uint8Array(part)])));
    const heard = [];
    await world.bob.subscribe(TOPIC, ({ payload: { parts } }) => heard.push(parts.map((part) => [...new Uint8Array(part)])));
    await world.bob.publish(TOPIC, { parts: [new Uint8Array([1, 2, 3]), new Uint8Array()] });
    await until("it came", async () => (await received(second)).length === 1);
    await second.evaluate(
      (topic) => window.client.publish(topic, { parts: [new Uint8Array([9, 4, 5]).subarray(1), new ArrayBuffer(1)] }),
      TOPIC,
    );
    await until("bob has it too", () => heard.length === 2);
    assert.deepEqual(heard, [[[1, 2, 3], []], [[4, 5], [0]]]);
    for (const page of world.pages) {
      await until("it has both", async () => (await received(page)).length === 2);
      assert.deepEqual(await numbers(page), [
        [["ArrayBuffer", 1, 2, 3], ["ArrayBuffer"]],
        [["ArrayBuffer", 4, 5], ["ArrayBuffer", 0]],
      ]);
      assert.deepEqual(page.complaints, []);
    }
    // A signal takes the same way.
    await third.evaluate((topic) => {
      window.signals = [];
      window.client.on("signal", ({ payload }) => window.signals.push([...new Uint8Array(payload.part)]));
      return window.client.channel(topic).subscribe();
    }, TOPIC);
    await second.evaluate((topic) => window.client.signal(topic, { part: new Uint8Array([7]) }), TOPIC);
    await until("the third hears it", () => third.evaluate(() => window.signals.length === 1));
    assert.deepEqual(await third.evaluate(() => window.signals), [[7]]);
    assert.equal(await connections(world), 1);
  });

  /** Locks of the origin that are held or asked for. */
  const locks = (page) =>
    page.evaluate(async () => {
      const { held, pending } = await navigator.locks.query();
      return [...held, ...pending].map(({ name }) => name);
    });

  it("go on without a gap when the one that leads is closed", async (t) => {
    const world = await setUp(t);
    const [leader, second, third] = world.pages;
    const published = await whileMessagesFlow(world, third, () => leader.close(), [second, third]);
    assert.ok(published > 0);
  });

  it("go on when the one that leads is reloaded, and it comes back as one of them", async (t) => {
    const world = await setUp(t);
    const [leader, second, third] = world.pages;
    await whileMessagesFlow(
      world,
      second,
      async () => {
        await leader.reload();
        await leader.waitForFunction(() => "bmt" in window);
        await connect(leader, world.server);
      },
      [second, third],
    );
    assert.equal(await connections(world), 1);
  });

  it("go on when the one that leads crashes", async (t) => {
    const world = await setUp(t);
    const [leader, second, third] = world.pages;
    const crash = async () => {
      const crashed = leader.waitForEvent("crash");
      const session = await world.context.newCDPSession(leader);
      session.send("Page.crash").catch(() => {});
      await crashed;
    };
    await whileMessagesFlow(world, second, crash, [second, third]);
  });

  it("go on when the one that leads is frozen, which has missed nothing when it is thawed", async (t) => {
    const world = await setUp(t);
    const [leader, second, third] = world.pages;
    const session = await world.context.newCDPSession(leader);
    const freeze = () => session.send("Page.setWebLifecycleState", { state: "frozen" });
    await whileMessagesFlow(world, second, freeze, [second, third]);
    await session.send("Page.setWebLifecycleState", { state: "active" });
    const all = await received(second);
    await until("it has caught up", async () => (await received(leader)).length === all.length);
    assert.deepEqual(await received(leader), all);
    assert.equal(await connections(world), 1);
  });

  it("rob one that hangs, which follows when it wakes", async (t) => {
    const world = await setUp(t);
    const [leader, second, third] = world.pages;
    let hanging;
    const hang = async () => {
      hanging = leader.evaluate(() => {
        const end = performance.now() + 12_000;
        while (performance.now() < end);
      });
      await until(
        "another leads",
        () => second.evaluate(() => window.client.getStats().reconnectCount === 1 && window.client.isConnected()),
        11_000,
      );
      await hanging;
    };
    await whileMessagesFlow(world, third, hang, [second, third]);
    const all = await received(second);
    await until("it has caught up", async () => (await received(leader)).length === all.length);
    assert.deepEqual(await received(leader), all);
  });

  it("stay apart where they are different users, and say so where they cannot share", async (t) => {
    const world = await setUp(t);
    const { accessToken } = await world.server.login("bob");
    const page = await open(world.context, world.address);
    const name = await page.evaluate(
      async ([url, auth]) => {
        const client = new window.bmt.RealtimeClient(url, { auth, shared: true });
        const { user } = await client.connect();
        return user.name;
      },
      [world.server.url, accessToken],
    );
    assert.match(name, /bob/i);
    assert.equal(await connections(world), 1);
    const raw = () => new here.bmt.RealtimeClient("http://a.server", { shared: true, protocol: "raw" });
    assert.throws(raw, { code: "invalid_operation", message: /shared/ });
  });
});
