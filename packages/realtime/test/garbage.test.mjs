/** A server that says what it should not, heard in Chromium (FAULTS 106). */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";

import { Server } from "../../../tests/support/server.mjs";
import { esbuild } from "./support/bundlers.mjs";
import { watchHost } from "./support/host.mjs";
import { installed } from "./support/installed.mjs";
import { Meddler } from "./support/meddler.mjs";
import { member } from "./support/member.mjs";
import { launch, open, serve } from "./support/page.mjs";
import { enter, look } from "./support/tab.mjs";
import { until } from "./support/until.mjs";

const MEGABYTE = 1 << 20;

/** Changes the next message on its way, and none after it. */
const next = (change) => (meddler) => {
  meddler.change = (text) => {
    if (!text.startsWith('42["message"')) return [text];
    meddler.change = (text) => [text];
    return change(text);
  };
};

const say = (...frames) => (meddler) => frames.forEach((frame) => meddler.say(frame));

const ROUNDS = {
  "a message that never comes": next(() => []),
  "a message that comes twice": next((text) => [text, text]),
  "a message that goes back": next((text) => [text, text.replace(/"seq":\d+/, '"seq":1').replace(/"id":"/, '"id":"x')]),
  "events that nobody knows": say('42["nonsense",{"a":1}]', '42["__proto__",{}]', "42[\"message\"]"),
  "messages that are none": say('42["message",null]', '42["message",{"topic":"../x","seq":1}]', '42["message",[1]]'),
  "answers to nothing": say('43999["x"]', "43999[]"),
  "JSON that breaks off": say('42["message",{"topic":'),
  "no packet at all": say("hello"),
  "an empty frame": say(""),
  "binary where none was announced": say(Buffer.from([0, 255, 128, 7])),
  "20 MB of text": say(`42["message","${"x".repeat(20 * MEGABYTE)}"]`),
  "20 MB of binary": say(Buffer.alloc(20 * MEGABYTE, 1)),
  "a close without a reason": (meddler) => meddler.end(true),
  "an end without a close": (meddler) => meddler.end(),
};

describe("a server that says what it should not", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await esbuild(here.project);
  });

  it("neither ends the client nor makes it lose or double a message", async (t) => {
    const server = await Server.start(t);
    const meddler = await Meddler.before(t, server.port);
    const context = await (await launch(t)).newContext();
    await context.addInitScript(watchHost);
    const page = await open(context, await serve(t, site));
    await enter(page, meddler.url, (await server.login("bob")).accessToken);
    const alice = await member(t, here.bmt, server, "alice");
    await alice.connect();
    await alice.publish("public:chat", "before");

    const wanted = ["before"];
    for (const [what, happens] of Object.entries(ROUNDS)) {
      await until("it is connected", () => look(page, "client.isConnected()"));
      happens(meddler);
      for (const which of ["first", "second"]) {
        await alice.publish("public:chat", `${which} after ${what}`);
        wanted.push(`${which} after ${what}`);
      }
      await until(`the page has both after ${what}`, () => look(page, `received.length >= ${wanted.length}`));
      assert.deepEqual(await look(page, "received.map(({ payload }) => payload)"), wanted, what);
    }
    assert.deepEqual(await look(page, "received.map(({ seq }) => seq)"), wanted.map((_, at) => at + 1));
    // What breaks the protocol costs the connection, and nothing else does.
    assert.equal(meddler.connections, 1 + 8, String(meddler.connections));
    assert.ok((await look(page, "wasmBytes()")) < 8 * MEGABYTE);
    // It works in the other direction too.
    await page.evaluate(() => window.client.publish("public:chat", "still here"));
    assert.deepEqual(page.complaints, []);
  });
});
