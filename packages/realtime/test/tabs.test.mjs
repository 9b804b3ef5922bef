/** Five tabs with one queue, all of which want to send it (SPEC §9). */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { esbuild } from "./support/bundlers.mjs";
import { installed } from "./support/installed.mjs";
import { launch, open, serve } from "./support/page.mjs";
import { enter, history, look, publish } from "./support/tab.mjs";
import { until } from "./support/until.mjs";

const TABS = [0, 1, 2, 3, 4];
/** What each tab publishes while the server is away. */
const EACH = 20;

describe("five tabs that flush one queue", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await esbuild(here.project);
  });

  /** Plain http has no Web Locks: tabs take turns by a lease in storage. */
  const withoutLocks = () => delete Navigator.prototype.locks;

  for (const [how, script] of [["with Web Locks", undefined], ["without Web Locks", withoutLocks]]) {
    it(`store each message once and each tab's in its order, ${how}`, async (t) => {
      const server = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0" });
      const address = await serve(t, site);
      const context = await (await launch(t)).newContext();
      if (script) await context.addInitScript(script);
      const { accessToken } = await server.login("alice");
      const tabs = await Promise.all(TABS.map(() => open(context, address)));
      assert.equal(await look(tabs[0], "'locks' in navigator"), script === undefined);
      await Promise.all(tabs.map((tab) => enter(tab, server.url, accessToken)));
      await server.kill();
      const wanted = TABS.map((tab) => Array.from({ length: EACH }, (_, n) => `${tab} ${n}`));
      await Promise.all(tabs.map((tab, at) => publish(tab, wanted[at])));
      // One is closed and leaves its part to the others.
      await tabs[4].close();
      await server.run();
      const all = wanted.flat();
      const left = tabs.slice(0, 4);
      await until("all are stored", async () => (await history(here.bmt, server)).length >= all.length, 30_000);
      await until("no tab waits", async () => {
        const sizes = await Promise.all(left.map((tab) => look(tab, "client.getStats().queueSize")));
        return sizes.every((size) => size === 0);
      }, 30_000);
      const kept = await history(here.bmt, server);
      const payloads = kept.map(({ payload }) => payload);
      assert.deepEqual([...payloads].sort(), [...all].sort());
      for (const [at, tab] of wanted.entries()) {
        assert.deepEqual(payloads.filter((payload) => payload.startsWith(`${at} `)), tab);
      }
      for (const tab of left) {
        await until("the tab has all", () => look(tab, `received.length >= ${all.length}`));
        assert.deepEqual(await look(tab, "received.map(({ id }) => id)"), kept.map(({ id }) => id));
        assert.deepEqual(tab.complaints.filter((text) => !text.includes("WebSocket") && !text.includes("ERR_")), []);
      }
    });
  }
});
