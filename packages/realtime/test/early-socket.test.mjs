/** The first connection of a page is set up while its engine is loaded. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { esbuild } from "./support/bundlers.mjs";
import { installed } from "./support/installed.mjs";
import { launch, open, serve } from "./support/page.mjs";
import { until } from "./support/until.mjs";

const CLOSED = 3;

describe("the first connection of a page", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await esbuild(here.project);
  });

  /** A page whose client connects, and whose engine is held back until `load()`. */
  async function begin(t) {
    const server = await Server.start(t);
    const address = await serve(t, site);
    const context = await (await launch(t)).newContext();
    await context.addInitScript(() => {
      window.sockets = [];
      window.WebSocket = class extends WebSocket {
        constructor(...given) {
          super(...given);
          window.sockets.push(this);
          this.addEventListener("message", () => (this.hasSpoken = true));
        }
      };
    });
    let load;
    const loaded = new Promise((resolve) => (load = resolve));
    await context.route(/engine-[^/]*\.js$/, async (route) => {
      await loaded;
      await route.continue();
    });
    const page = await open(context, address);
    const { accessToken } = await server.login("alice");
    await page.evaluate(
      ([url, auth]) => {
        // A first attempt that fails is the last one.
        window.client = new window.bmt.RealtimeClient(url, { auth, reconnect: { enabled: false } });
        window.connect = () => {
          window.connecting = window.client.connect().then(() => "connected", ({ code }) => code);
        };
        window.connect();
      },
      [server.url, accessToken],
    );
    await until("the server has spoken", () => page.evaluate(() => window.sockets.some((socket) => socket.hasSpoken)));
    return { server, page, load };
  }

  const count = (page) => page.evaluate(() => window.sockets.length);
  const outcome = (page) => page.evaluate(() => window.connecting);
  const publish = (page) => page.evaluate(() => window.client.publish("public:chat", "hello"));

  it("is open before the engine is there, and the only one", async (t) => {
    const { page, load } = await begin(t);
    load();
    assert.equal(await outcome(page), "connected");
    assert.equal((await publish(page)).seq, 1);
    assert.equal(await count(page), 1);
    assert.deepEqual(page.complaints, []);
  });

  it("is closed where the application disconnects meanwhile, and another is made when it connects", async (t) => {
    const { page, load } = await begin(t);
    await page.evaluate(() => window.client.disconnect());
    await until("it is closed", () => page.evaluate((closed) => window.sockets[0].readyState === closed, CLOSED));
    load();
    assert.equal(await outcome(page), "disconnected");
    await page.evaluate(() => window.connect());
    assert.equal(await outcome(page), "connected");
    assert.equal(await count(page), 2);
    assert.deepEqual(page.complaints, []);
  });

  it("is made again where the server ended it meanwhile", async (t) => {
    const { server, page, load } = await begin(t);
    await server.kill();
    await until("it is closed", () => page.evaluate((closed) => window.sockets[0].readyState === closed, CLOSED));
    await server.run();
    load();
    assert.equal(await outcome(page), "connected");
    assert.equal((await publish(page)).seq, 1);
  });
});
