/** Nothing is left of what was, in Node: memory, timers and sockets after many connections. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { WebSocket } from "ws";

import { Server } from "../../../tests/support/server.mjs";
import { CYCLES, MOST_BYTES, TIMEOUT_MS, WARM_UP, WAYS, maker, repeat, token } from "./support/cycles.mjs";
import { installed } from "./support/installed.mjs";
import { until } from "./support/until.mjs";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc");

/** The sockets that are open. */
const sockets = new Set();
globalThis.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    sockets.add(this);
    super.addEventListener("close", () => sockets.delete(this), { once: true });
  }
};

/** The engine's memory: it is made with the first connection. */
const memories = [];
const { Instance } = WebAssembly;
WebAssembly.Instance = function (...args) {
  const instance = new Instance(...args);
  memories.push(...Object.values(instance.exports).filter((exported) => exported instanceof WebAssembly.Memory));
  return instance;
};
WebAssembly.Instance.prototype = Instance.prototype;
const wasmBytes = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);

/** How many timers are set. */
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

/** Sends the collector through, and lets everybody run who waits for it. */
const collect = async () => {
  gc();
  for (let n = 0; n < 3; n++) await turn();
};

describe("after many connections in Node", () => {
  const here = installed();

  for (const [way, cycle] of Object.entries(WAYS)) {
    it(`nothing is left of ${way}`, { timeout: TIMEOUT_MS }, async (t) => {
      const server = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0" });
      const make = maker(here.bmt.RealtimeClient, server.url, token(server));
      const host = { client: make(), make, openSockets: () => [...sockets] };

      const run = async (cycles) => {
        for (let n = 0; n < cycles; n++) await cycle(host);
      };
      const held = async () => {
        host.client.disconnect();
        await until("all sockets are closed", () => sockets.size === 0);
        for (let n = 0; n < 5; n++) await collect();
        return { heap: process.memoryUsage().heapUsed, wasm: wasmBytes(), timers: timers() };
      };

      await repeat(WARM_UP, run, collect);
      const early = await held();
      await repeat(CYCLES, run, collect);
      const late = await held();
      const grown = late.heap - early.heap;
      t.diagnostic(`${CYCLES} cycles: heap ${early.heap} + ${grown} bytes, wasm ${early.wasm} + ${late.wasm - early.wasm} bytes`);
      assert.ok(early.wasm > 0);
      assert.ok(grown < MOST_BYTES, `the heap has grown by ${grown} bytes`);
      assert.equal(late.wasm, early.wasm);
      assert.equal(late.timers, early.timers);
    });
  }
});
