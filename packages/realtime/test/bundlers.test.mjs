/** The tarball under each bundler and in React's development mode, opened in Chromium. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { esbuild, rollup, viteDev, webpack } from "./support/bundlers.mjs";
import { watchHost } from "./support/host.mjs";
import { installed } from "./support/installed.mjs";
import { FAST, member } from "./support/member.mjs";
import { launch, open, serve } from "./support/page.mjs";
import { enter, look, publish } from "./support/tab.mjs";
import { until } from "./support/until.mjs";

describe("the package under every bundler", () => {
  const here = installed();

  /** Connects, subscribes and publishes in the page and in a worker of it; the browser must have nothing to say. */
  async function works(t, address) {
    const server = await Server.start(t);
    const page = await open(await (await launch(t)).newContext(), address);
    const { accessToken } = await server.login("alice");
    await enter(page, server.url, accessToken);
    const answer = await page.evaluate((args) => window.inWorker(...args), [server.url, accessToken, "from a worker"]);
    assert.deepEqual(answer, { seq: 1, warnings: ["storage_unavailable"] });
    await publish(page, [{ text: "你好" }]);
    await until("the page has both", () => look(page, "received.length === 2"));
    assert.deepEqual(await look(page, "received.map(({ payload }) => payload)"), ["from a worker", { text: "你好" }]);
    assert.deepEqual(page.complaints, []);
  }

  for (const [name, build] of Object.entries({ webpack, rollup, esbuild })) {
    it(`works as ${name} builds it, under a strict content security policy`, async (t) => {
      await works(t, await serve(t, await build(here.project)));
    });
  }

  it("works as Vite serves it in development", async (t) => {
    await works(t, await viteDev(t, here.project, "of-vite-dev"));
  });
});

const STRICT_PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>strict</title>
<div id="root"></div><script type="module" src="/strict.js"></script>`;

const STRICT = `import { createElement as h, StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";
import * as bmt from "@bmt/realtime";
import { RealtimeContext, useChannel, useRealtime } from "@bmt/realtime/react";

window.mounts = 0;

function Chat() {
  const { messages, subscribed } = useChannel("public:chat");
  window.subscribed = subscribed;
  return h("ul", null, messages.map(({ id, payload }) => h("li", { key: id }, payload)));
}

function App({ url, token, options }) {
  const { connected, client } = useRealtime(url, token, options);
  useEffect(() => void window.mounts++, []);
  return connected && h(RealtimeContext, { value: client }, h(Chat));
}

const root = createRoot(document.getElementById("root"));
window.start = (props) => root.render(h(StrictMode, null, h(App, props)));
window.stop = () => root.render(null);
window.bmt = bmt;`;

describe("the hooks in a browser", () => {
  const here = installed({ also: ["react", "react-dom", "scheduler"] });

  it("hold one connection and one subscription, though StrictMode mounts them twice", async (t) => {
    const server = await Server.start(t);
    const address = await viteDev(t, here.project, "strict", { "index.html": STRICT_PAGE, "strict.js": STRICT });
    const context = await (await launch(t)).newContext();
    await context.addInitScript(watchHost);
    const page = await open(context, address);
    const [before, opened] = await look(page, "[host(), openedSockets()]");
    const bob = await member(t, here.bmt, server, "bob");
    await bob.connect();

    const { accessToken: token } = await server.login("alice");
    await page.evaluate((props) => window.start(props), { url: server.url, token, options: FAST });
    await until("it is subscribed", () => look(page, "window.subscribed === true"));
    assert.equal(await look(page, "mounts"), 2);
    assert.equal(await look(page, "openedSockets()"), opened + 1);
    const { users } = await bob.presence("public:chat");
    assert.deepEqual(users.map(({ connections }) => connections), [1]);
    for (const text of ["one", "two", "three"]) await bob.publish("public:chat", text);
    const shown = () => page.$$eval("li", (items) => items.map(({ textContent }) => textContent));
    await until("all are shown", async () => (await shown()).includes("three"));
    assert.deepEqual(await shown(), ["one", "two", "three"]);

    await page.evaluate(() => window.stop());
    await until("she has left", async () => (await bob.presence("public:chat")).count === 0);
    await until("nothing is held", async () => {
      const { listeners, sockets } = await look(page, "host()");
      return listeners === before.listeners && sockets === before.sockets;
    });
    assert.deepEqual(page.complaints, []);
  });
});
