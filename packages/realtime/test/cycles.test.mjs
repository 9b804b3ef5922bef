/** Nothing is left of what was, in Chromium: memory, listeners, timers and sockets after many connections. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { esbuild } from "./support/bundlers.mjs";
import { CYCLES, MOST_BYTES, TIMEOUT_MS, WARM_UP, WAYS, maker, repeat, token } from "./support/cycles.mjs";
import { watchHost } from "./support/host.mjs";
import { installed } from "./support/installed.mjs";
import { launch, open, serve } from "./support/page.mjs";
import { look } from "./support/tab.mjs";
import { until } from "./support/until.mjs";

describe("after many connections", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await esbuild(here.project);
  });

  for (const [way, cycle] of Object.entries(WAYS)) {
    it(`nothing is left of ${way}`, { timeout: TIMEOUT_MS }, async (t) => {
      const server = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0" });
      const context = await (await launch(t)).newContext();
      await context.addInitScript(watchHost);
      const page = await open(context, await serve(t, site));
      const session = await context.newCDPSession(page);
      await session.send("Performance.enable");
      const idle = await look(page, "host()");
      await page.evaluate(`
        window.make = (${maker})(bmt.RealtimeClient, ${JSON.stringify(server.url)}, ${JSON.stringify(token(server))});
        window.client = make();`);

      const run = (cycles) =>
        page.evaluate(`(async () => { const cycle = ${cycle}; for (let n = 0; n < ${cycles}; n++) await cycle(window); })()`);
      /** Sends the collector through, and waits for whoever waits for it. */
      const collect = async () => {
        await session.send("HeapProfiler.collectGarbage");
        await look(page, "new Promise((resolve) => requestAnimationFrame(resolve))");
      };
      const held = async () => {
        await page.evaluate(() => window.client.disconnect());
        await until("all sockets are closed", () => look(page, "host().sockets === 0"));
        for (let n = 0; n < 5; n++) await collect();
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

      await repeat(WARM_UP, run, collect);
      const early = await held();
      await repeat(CYCLES, run, collect);
      const late = await held();
      const grown = late.heap - early.heap;
      t.diagnostic(`${CYCLES} cycles: heap ${early.heap} + ${grown} bytes, wasm ${early.wasm} + ${late.wasm - early.wasm} bytes`);
      assert.ok(grown < MOST_BYTES, `the heap has grown by ${grown} bytes`);
      assert.equal(late.wasm, early.wasm);
      assert.equal(late.listeners, early.listeners);
      assert.equal(late.nodes, early.nodes);
      assert.deepEqual(late.host, idle);
      assert.deepEqual(page.complaints, []);
    });
  }
});
