/**
 * Nothing is left of what was: memory, listeners, timers and sockets after many connections.
 *
 * `BMT_CYCLES=10000` makes it as many as SPEC asks for; the ordinary run is content with a few hundred.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { esbuild } from "./support/bundlers.mjs";
import { watchHost } from "./support/host.mjs";
import { installed } from "./support/installed.mjs";
import { launch, open, serve } from "./support/page.mjs";
import { look } from "./support/tab.mjs";
import { until } from "./support/until.mjs";

const CYCLES = Number(process.env.BMT_CYCLES ?? 300);
/** Until everything that is made once has been made. */
const WARM_UP = Math.max(100, CYCLES / 20);
/** What a heap may have grown by though nothing is left: what the engine compiled, kept and cached of its own, bytes. */
const NOISE_BYTES = 300_000;
/** A timer, a closure or a message that is left of every cycle would be more. */
const MOST_BYTES_PER_CYCLE = 40;

/** Ways to come and go. Run in the page; each uses the one client or makes its own. */
const WAYS = {
  "one client that connects, publishes and disconnects": async () => {
    const { client } = window;
    await client.connect();
    await client.publish("public:chat", "hello");
    client.disconnect();
  },
  "one client whose connection breaks": async () => {
    const { client } = window;
    if (!client.isConnected()) await client.connect();
    await client.publish("public:chat", "hello");
    const back = new Promise((resolve) => client.once("reconnected", resolve));
    for (const socket of window.openSockets()) socket.close();
    await back;
  },
  "a client of its own for each": async () => {
    const client = window.make();
    await client.connect();
    const { unsubscribe } = await client.subscribe("public:chat", ({ payload }) => client.lastPayload = payload);
    await client.publish("public:chat", "hello");
    await unsubscribe();
    client.disconnect();
  },
};

describe("after many connections", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await esbuild(here.project);
  });

  for (const [way, cycle] of Object.entries(WAYS)) {
    it(`nothing is left of ${way}`, { timeout: 60_000 + CYCLES * 200 }, async (t) => {
      const server = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0" });
      const context = await (await launch(t)).newContext();
      await context.addInitScript(watchHost);
      const page = await open(context, await serve(t, site));
      const session = await context.newCDPSession(page);
      await session.send("Performance.enable");
      const { accessToken } = await server.login("alice");
      const idle = await look(page, "host()");
      await page.evaluate(
        ([url, auth]) => {
          // The provider knows the client, as that of an application does.
          window.make = () => {
            const client = new window.bmt.RealtimeClient(url, {
              auth: () => (client.isConnected() ? "" : auth),
              reconnect: { baseMs: 1, capMs: 1 },
            });
            return client;
          };
          window.client = window.make();
        },
        [server.url, accessToken],
      );

      const run = (cycles) =>
        page.evaluate(`(async () => { const cycle = ${cycle}; for (let n = 0; n < ${cycles}; n++) await cycle(); })()`);
      /** What is held once the collector has been through, and whoever waits for it too. */
      const held = async () => {
        await page.evaluate(() => window.client.disconnect());
        await until("all sockets are closed", () => look(page, "host().sockets === 0"));
        for (let n = 0; n < 5; n++) {
          await session.send("HeapProfiler.collectGarbage");
          await look(page, "new Promise((resolve) => requestAnimationFrame(resolve))");
        }
        const { metrics } = await session.send("Performance.getMetrics");
        const metric = (name) => metrics.find((metric) => metric.name === name).value;
        return {
          heap: metric("JSHeapUsedSize"),
          listeners: metric("JSEventListeners"),
          nodes: metric("Nodes"),
          wasm: await look(page, "wasmBytes()"),
          host: await look(page, "host()"),
        };
      };

      await run(WARM_UP);
      const early = await held();
      await run(CYCLES);
      const late = await held();
      const grown = late.heap - early.heap;
      t.diagnostic(`${CYCLES} cycles: heap ${early.heap} + ${grown} bytes, wasm ${early.wasm} + ${late.wasm - early.wasm} bytes`);
      assert.ok(grown < NOISE_BYTES + CYCLES * MOST_BYTES_PER_CYCLE, `the heap has grown by ${grown} bytes`);
      assert.equal(late.wasm, early.wasm);
      assert.equal(late.listeners, early.listeners);
      assert.equal(late.nodes, early.nodes);
      assert.deepEqual(late.host, idle);
      assert.deepEqual(page.complaints, []);
    });
  }
});
