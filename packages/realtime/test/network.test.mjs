/** A bad network between Chromium and the server: nothing is lost, nothing comes twice (FAULTS 85, 86, 88, 89). */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { esbuild } from "./support/bundlers.mjs";
import { FaultProxy } from "./support/fault-proxy.mjs";
import { Gate } from "./support/gate.mjs";
import { installed } from "./support/installed.mjs";
import { launch, open, serve } from "./support/page.mjs";
import { enter, history, look } from "./support/tab.mjs";
import { until } from "./support/until.mjs";

const PATIENT = { BMT_LIMITS__PUBLISH_PER_SECOND: "0" };
/** Heartbeats of a second, so that a dead network is known for one within two. */
const HASTY = { ...PATIENT, BMT_HEARTBEAT__INTERVAL_MS: "1000", BMT_HEARTBEAT__TIMEOUT_MS: "1000" };
/** Time between two messages, ms. */
const EVERY_MS = 25;
/** How long a silence lasts: the client gives the connection up in it, ms. */
const SILENCE_MS = 3_500;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

describe("a bad network", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await esbuild(here.project);
  });

  /** Two pages behind the proxy; alice publishes without a pause until `finish` is called. */
  async function begin(t, settings = HASTY) {
    const server = await Server.start(t, settings);
    const proxy = await FaultProxy.before(t, server.port);
    const address = await serve(t, site);
    const browser = await launch(t);
    const [alice, bob] = await Promise.all([1, 2].map(async () => open(await browser.newContext(), address)));
    for (const [page, name] of [[alice, "alice"], [bob, "bob"]]) {
      await enter(page, proxy.url, (await server.login(name)).accessToken);
    }
    await alice.evaluate((everyMs) => {
      window.published = 0;
      window.publishing = setInterval(() => void window.client.publish("public:chat", window.published++), everyMs);
    }, EVERY_MS);
    const finish = async () => {
      await proxy.say("fair");
      const published = await alice.evaluate(() => (clearInterval(window.publishing), window.published));
      await until("nothing waits", () => look(alice, "client.getStats().queueSize === 0"), 30_000);
      await holds(server, alice, bob, published);
    };
    return { server, proxy, alice, bob, finish };
  }

  /**
   * What `tests/histcheck` demands of histories, exactly, because here every message is known: acked is stored, stored
   * is delivered, to everybody, once, in one order, which is the publisher's.
   */
  async function holds(server, alice, bob, published) {
    const kept = await history(here.bmt, server);
    assert.deepEqual(kept.map(({ payload }) => payload), Array.from({ length: published }, (_, n) => n));
    assert.deepEqual(kept.map(({ seq }) => seq), kept.map((_, at) => at + 1));
    const acks = await look(alice, "acks.map(({ clientMessageId, seq }) => [clientMessageId, seq])");
    assert.deepEqual(acks, kept.map(({ clientMessageId, seq }) => [clientMessageId, seq]));
    for (const page of [alice, bob]) {
      await until("the page has all", () => look(page, `received.length >= ${kept.length}`));
      assert.deepEqual(await look(page, "received.map(({ id, seq }) => [id, seq])"), kept.map(({ id, seq }) => [id, seq]));
      assert.deepEqual(await look(page, "[losses, failures]"), [[], []]);
    }
  }

  it("that cuts and resets connections loses and doubles nothing", async (t) => {
    const { proxy, alice, finish } = await begin(t);
    let ended = 0;
    for (let n = 0; n < 12; n++) {
      await sleep(150 + 37 * (n % 5));
      ended += await proxy.say(n % 3 === 0 ? "cut" : "reset");
    }
    assert.ok(ended >= 12, `${ended} connections were ended`);
    await finish();
    assert.ok((await look(alice, "client.getStats().reconnectCount")) >= 3);
  });

  it("that goes silent mid-publish, mid-ack or both ways loses and doubles nothing", async (t) => {
    const { proxy, alice, finish } = await begin(t);
    for (const [n, silence] of ["silent server", "silent client", "stall"].entries()) {
      await sleep(300);
      await proxy.say(silence);
      await until("the client knows", () => look(alice, "client.state !== 'connected'"), SILENCE_MS);
      await proxy.say("fair");
      const back = `client.state === 'connected' && client.getStats().reconnectCount > ${n}`;
      await until("it is back", () => look(alice, back), 15_000);
    }
    await finish();
  });

  it("that is slow and slices what it carries loses and doubles nothing, and no connection", async (t) => {
    const { proxy, alice, finish } = await begin(t, PATIENT);
    await proxy.say("slow 150 120 1");
    await sleep(4_000);
    await finish();
    assert.equal(await look(alice, "client.getStats().reconnectCount"), 0);
  });

  it("that answers the handshake itself is asked again with patience, until it lets the client through", async (t) => {
    const server = await Server.start(t);
    const gate = await Gate.before(t, server.port, { open: true });
    const page = await open(await (await launch(t)).newContext(), await serve(t, site));
    const { accessToken } = await server.login("alice");
    const html = "content-type: text/html\r\ncontent-length: 11\r\nconnection: close\r\n\r\n<h1>no</h1>";
    const answers = {
      "bad gateway": `HTTP/1.1 502 Bad Gateway\r\n${html}`,
      "a page": `HTTP/1.1 200 OK\r\n${html}`,
      "a redirect": `HTTP/1.1 302 Found\r\nlocation: /login\r\n${html}`,
      nothing: "",
    };
    for (const [what, answer] of Object.entries(answers)) {
      Object.assign(gate, { answer, answers: 0 });
      await enter(page, gate.url, accessToken, { connect: false, reconnect: { baseMs: 200, capMs: 400 } });
      await page.evaluate(() => void window.client.connect());
      await until(`it has come back after ${what}`, () => look(page, "client.getState().reconnectAttempts >= 3"));
      const { status, error } = await look(page, "client.getState()");
      assert.match(status, /^(?:re)?connecting$/, what);
      assert.match(error, /./, what);
      // Each attempt asks for a WebSocket and then, over HTTP, for the polls that stand for it.
      assert.ok(gate.answers <= 20, `${gate.answers} requests after ${what}`);
      gate.answer = undefined;
      await until("it is through", () => look(page, "client.isConnected()"));
      await page.evaluate(() => window.client.publish("public:chat", "through"));
      await page.evaluate(() => window.client.disconnect());
    }
    assert.equal((await history(here.bmt, server)).length, Object.keys(answers).length);
  });
});
