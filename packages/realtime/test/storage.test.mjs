/** A page's storage that is full, forbidden, cleared or full of somebody else's things (FAULTS 103, 104, 105). */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { before, describe, it } from "node:test";

import { chromium } from "playwright-core";

import { Server } from "../../../tests/support/server.mjs";
import { esbuild } from "./support/bundlers.mjs";
import { installed } from "./support/installed.mjs";
import { CHROMIUM, FLAGS, launch, open, serve } from "./support/page.mjs";
import { enter, look, publish, stored } from "./support/tab.mjs";
import { until } from "./support/until.mjs";

describe("the queue of a page", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await esbuild(here.project);
  });

  async function begin(t, context) {
    const server = await Server.start(t);
    const address = await serve(t, site);
    const page = await open(context ?? (await (await launch(t)).newContext()), address);
    const { accessToken, user } = await server.login("alice");
    const again = async () => {
      await page.reload();
      await page.waitForFunction(() => "bmt" in window);
    };
    return { server, page, again, accessToken, user };
  }

  const settled = (page) => until("nothing waits", () => look(page, "client.getStats().queueSize === 0"));
  /** What the page itself is to blame for: a browser reports connections to a dead server too. */
  const blame = (page) => page.complaints.filter((text) => !/WebSocket|ERR_|Failed to load/.test(text));
  const keys = (page) => look(page, "Object.keys(localStorage).sort()");

  it("goes on in memory where the application has filled storage to its quota", async (t) => {
    const { server, page, again, accessToken } = await begin(t);
    await enter(page, server.url, accessToken);
    await server.kill();
    await publish(page, ["of the page before"]);
    await page.evaluate(() => {
      for (let [text, n] = ["x".repeat(1 << 20), 0]; text.length > 0; n++) {
        try {
          localStorage.setItem(`of the application ${n}`, text);
        } catch {
          text = text.slice(0, text.length >> 1);
        }
      }
    });
    await again();
    await server.run();
    await enter(page, server.url, accessToken, { queue: { size: 3 } });
    // What was kept before is read all the same.
    await until("it is sent", () => look(page, "acks.length === 1"));
    const large = "while it is full".padEnd(2_000);
    await publish(page, [large]);
    await until("it is sent", () => look(page, "acks.length === 2"));
    assert.deepEqual(await look(page, "warnings"), ["storage_full"]);

    await server.kill();
    await until("the page knows", () => look(page, "client.state !== 'connected'"));
    await publish(page, ["a", "b", "c", "d", "e"]);
    assert.deepEqual(await look(page, "losses.map(([name]) => name)"), ["queueOverflow", "queueOverflow"]);
    await server.run();
    await settled(page);
    assert.deepEqual(await stored(here.bmt, server), ["of the page before", large, "c", "d", "e"]);
    assert.deepEqual(await look(page, "warnings"), ["storage_full"]);
    assert.deepEqual(blame(page), []);
  });

  it("lives in memory where the browser forbids storage, or its getter throws", async (t) => {
    const profile = await mkdtemp(path.join(tmpdir(), "bmt-forbidden-"));
    t.after(() => rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
    await mkdir(path.join(profile, "Default"));
    const settings = { profile: { default_content_setting_values: { cookies: 2 } } };
    await writeFile(path.join(profile, "Default/Preferences"), JSON.stringify(settings));
    const forbidden = await chromium.launchPersistentContext(profile, { executablePath: CHROMIUM, args: FLAGS });
    t.after(() => forbidden.close());
    const throwing = await (await launch(t)).newContext();
    await throwing.addInitScript(() => {
      Object.defineProperty(window, "localStorage", {
        get() {
          throw new DOMException("Access is denied for this document.", "SecurityError");
        },
      });
    });
    for (const context of [forbidden, throwing]) {
      const { server, page, accessToken } = await begin(t, context);
      const access = await page.evaluate(() => {
        try {
          return typeof window.localStorage;
        } catch ({ name }) {
          return name;
        }
      });
      assert.equal(access, "SecurityError");
      await enter(page, server.url, accessToken);
      await server.kill();
      await publish(page, ["one", "two"]);
      await server.run();
      await until("both are acked", () => look(page, "acks.length === 2"));
      assert.deepEqual(await stored(here.bmt, server), ["one", "two"]);
      assert.deepEqual(await look(page, "warnings"), ["storage_unavailable"]);
      // Nor does anything else of the package throw.
      const { url } = server;
      const sent = await page.evaluate(async ([url, auth]) => {
        const { OfflineMessageQueue, Realtime, safePublish } = window.bmt;
        await Realtime.connect({ url, auth });
        const queue = new OfflineMessageQueue();
        await queue.add("public:chat", "three");
        const { sent } = await queue.flush((topic, payload, options) => Realtime.publish(topic, payload, options));
        const { seq } = await safePublish("public:chat", "four");
        Realtime.disconnect();
        return [sent, seq];
      }, [url, accessToken]);
      assert.deepEqual(sent, [1, 4]);
      assert.deepEqual(blame(page), []);
    }
  });

  it("sends what the page published though storage is cleared meanwhile", async (t) => {
    const { server, page, accessToken } = await begin(t);
    await enter(page, server.url, accessToken);
    await server.kill();
    await publish(page, ["one", "two"]);
    await page.evaluate(() => localStorage.clear());
    await publish(page, ["three"]);
    await server.run();
    await until("all are acked", () => look(page, "acks.length === 3"));
    await page.evaluate(() => localStorage.clear());
    await publish(page, ["four"]);
    await until("it is acked", () => look(page, "acks.length === 4"));
    assert.deepEqual(await stored(here.bmt, server), ["one", "two", "three", "four"]);
    await until("nothing is kept", async () => (await keys(page)).length === 0);
    assert.deepEqual(await look(page, "warnings"), []);
    assert.deepEqual(blame(page), []);
  });

  it("puts aside whatever stands under its key and is no queue, and says so once", async (t) => {
    const { server, page, again, accessToken } = await begin(t);
    const megabytes = JSON.stringify("x".repeat(5_000_000));
    for (const content of ["null", "{}", '"text"', "[[", '{"version":7,"items":[]}', megabytes]) {
      await page.evaluate((content) => {
        localStorage.clear();
        localStorage.setItem("offline_messages", content);
      }, content);
      await again();
      await enter(page, server.url, accessToken);
      await publish(page, ["goes on"]);
      await until("it is acked", () => look(page, "acks.length === 1"));
      assert.deepEqual(await look(page, "warnings"), ["storage_corrupt"]);
      await until("nothing else is kept", async () => (await keys(page)).length === 1);
      const [key] = await keys(page);
      assert.match(key, /^offline_messages:corrupt:\d+$/);
      assert.ok((await page.evaluate((key) => localStorage.getItem(key), key)) === content, content.slice(0, 20));
    }
    await again();
    await enter(page, server.url, accessToken);
    assert.deepEqual(await look(page, "warnings"), []);
    assert.deepEqual(blame(page), []);
  });

  it("sends the rest of a queue that holds what is none of it", async (t) => {
    const { server, page, again, accessToken } = await begin(t);
    await page.evaluate(() => {
      const entry = (payload, more) => ({ topic: "public:chat", payload, timestamp: Date.now(), ...more });
      const polluting = `{"__proto__":{"polluted":1},"topic":"public:chat","payload":"two","timestamp":${Date.now()}}`;
      const array = [entry("one"), null, 7, { topic: { toString: 1 } }].map((value) => JSON.stringify(value));
      localStorage.setItem("offline_messages", `[${[...array, polluting].join()}]`);
      const three = entry("three", { messageId: "msg_1_three" });
      localStorage.setItem("offline_messages:msg_1_three", JSON.stringify(three));
      // Under the key of another, it would stay there for ever.
      localStorage.setItem("offline_messages:__proto__", JSON.stringify(entry("no", { messageId: "msg_1_other" })));
      localStorage.setItem("offline_messages:constructor", '{"topic":');
    });
    await again();
    await enter(page, server.url, accessToken);
    await until("the rest is acked", () => look(page, "acks.length === 3"));
    assert.deepEqual(await stored(here.bmt, server), ["one", "two", "three"]);
    assert.deepEqual(await look(page, "warnings"), ["storage_corrupt"]);
    assert.equal(await look(page, "({}).polluted"), undefined);
    await until("only what was put aside is left", async () => {
      const left = await keys(page);
      return left.length === 5 && left.every((key) => key.startsWith("offline_messages:corrupt:"));
    });
    await again();
    await enter(page, server.url, accessToken);
    assert.deepEqual(await look(page, "warnings"), []);
    assert.equal((await stored(here.bmt, server)).length, 3);
    assert.deepEqual(blame(page), []);
  });

  it("reports what may not be sent any more, one by one, and sends what stands behind it", async (t) => {
    const { server, page, again, user } = await begin(t);
    const token = (...permissions) => server.token({ sub: "carol", permissions });
    await enter(page, server.url, token("channel:private:board"));
    await server.kill();
    await publish(page, ["secret"], "private:board");
    await page.evaluate(([alice, server]) => {
      const keep = (messageId, payload, more) => {
        const entry = { topic: "public:chat", payload, timestamp: Date.now() - 60_000, messageId, ...more };
        localStorage.setItem(`offline_messages:${messageId}`, JSON.stringify(entry));
      };
      keep("msg_1_large", "x".repeat(100_000));
      keep("msg_2_larger", "x".repeat(3_000_000));
      keep("msg_3_old", "old", { timestamp: Date.now() - 600_000 });
      keep("msg_4_alices", "of alice", { user: alice, server });
    }, [user.userId, server.url]);
    await publish(page, ["one", "two"]);
    await again();
    await server.run();
    await enter(page, server.url, token());
    await until("the rest is acked", () => look(page, "acks.length === 2"));
    await until("the others are reported", () => look(page, "losses.length === 4"));
    const losses = await look(page, "losses.map(([name, , topic, code]) => [name, topic, code].join(' ')).sort()");
    assert.deepEqual(losses, [
      "queueExpired public:chat ",
      "queueRejected private:board permission_denied",
      "queueRejected public:chat message_too_large",
      "queueRejected public:chat message_too_large",
    ]);
    assert.deepEqual(await stored(here.bmt, server), ["one", "two"]);
    // Hers waits for her.
    await until("nothing else is kept", async () => (await keys(page)).join() === "offline_messages:msg_4_alices");
    assert.deepEqual(blame(page), []);
  });
});
