/** What is published right before a tab crashes, or the whole browser is killed (README, "What outlives what"). */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { before, describe, it } from "node:test";

import { chromium } from "playwright-core";

import { Server } from "../../../tests/support/server.mjs";
import { esbuild } from "./support/bundlers.mjs";
import { FaultProxy } from "./support/fault-proxy.mjs";
import { installed } from "./support/installed.mjs";
import { CHROMIUM, FLAGS, launch, open, serve } from "./support/page.mjs";
import { enter, look, publish, stored } from "./support/tab.mjs";
import { until } from "./support/until.mjs";

const NUMBERS = Array.from({ length: 10 }, (_, n) => n);

describe("what was published before a tab crashed", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await esbuild(here.project);
  });

  /** A tab of alice behind a proxy, and the way to end it as a crash does. */
  async function begin(t) {
    const server = await Server.start(t);
    const proxy = await FaultProxy.before(t, server.port);
    const address = await serve(t, site);
    const context = await (await launch(t)).newContext();
    const { accessToken } = await server.login("alice");
    const tab = await open(context, address);
    await enter(tab, proxy.url, accessToken);
    const crash = async () => {
      const crashed = tab.waitForEvent("crash");
      const session = await context.newCDPSession(tab);
      // It is never answered.
      void session.send("Page.crash").catch(() => {});
      await crashed;
    };
    const next = async () => {
      const page = await open(context, address);
      await enter(page, proxy.url, accessToken);
      return page;
    };
    return { server, proxy, tab, crash, next };
  }

  const acked = (page) => look(page, "acks.map(({ clientMessageId, duplicate }) => [clientMessageId, duplicate])");

  it("is sent by the next tab where the server has not heard of it", async (t) => {
    const { server, proxy, tab, crash, next } = await begin(t);
    await proxy.say("silent server");
    await publish(tab, NUMBERS);
    await crash();
    assert.deepEqual(await stored(here.bmt, server), []);
    // What the dead tab had sent arrives now after all, together with what the next one sends.
    await proxy.say("fair");
    const page = await next();
    await until("all are acked", async () => (await acked(page)).length === NUMBERS.length);
    assert.deepEqual(await stored(here.bmt, server), NUMBERS);
    await until("nothing is kept", () => look(page, "localStorage.length === 0"));
  });

  it("is not stored again where the server has, and its ack did not come", async (t) => {
    const { server, proxy, tab, crash, next } = await begin(t);
    await proxy.say("silent client");
    await publish(tab, NUMBERS);
    // What follows on a channel waits for the ack of what went before.
    await until("the server has one", async () => (await stored(here.bmt, server)).length === 1);
    await crash();
    await proxy.say("fair");
    const page = await next();
    await until("all are acked", async () => (await acked(page)).length === NUMBERS.length);
    assert.equal((await acked(page)).filter(([, duplicate]) => duplicate).length, 1);
    assert.deepEqual(await stored(here.bmt, server), NUMBERS);
    await until("nothing is kept", () => look(page, "localStorage.length === 0"));
  });
});

describe("what was published before the browser was killed", () => {
  const here = installed();
  let site;
  before(async () => {
    site = await esbuild(here.project);
  });

  /** A browser of its own profile, which can be killed and started again. */
  async function killable(t) {
    const profile = await mkdtemp(path.join(tmpdir(), "bmt-profile-"));
    let child, browser;
    const kill = async () => {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    };
    t.after(async () => {
      if (child.exitCode === null && child.signalCode === null) await kill();
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    });
    const start = async () => {
      const args = [...FLAGS, "--headless=new", `--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank"];
      child = spawn(CHROMIUM, args, { stdio: ["ignore", "ignore", "pipe"] });
      const endpoint = await new Promise((resolve, reject) => {
        let said = "";
        child.stderr.on("data", (text) => {
          said += text;
          const [, found] = /DevTools listening on (\S+)/.exec(said) ?? [];
          if (found) resolve(found);
        });
        child.once("exit", () => reject(new Error(`the browser ended:\n${said}`)));
      });
      browser = await chromium.connectOverCDP(endpoint);
      return browser.contexts()[0];
    };
    /** Whether the browser has written a text of a page's storage to the disk. */
    const hasWritten = async (text) => {
      const folder = path.join(profile, "Default/Local Storage/leveldb");
      for (const file of await readdir(folder).catch(() => [])) {
        if (!file.endsWith(".log") && !file.endsWith(".ldb")) continue;
        if ((await readFile(path.join(folder, file)).catch(() => "")).includes(text)) return true;
      }
      return false;
    };
    return { start, kill, hasWritten };
  }

  it("is lost at most in part, and never stored twice", async (t) => {
    const server = await Server.start(t);
    const proxy = await FaultProxy.before(t, server.port);
    const address = await serve(t, site);
    const { accessToken } = await server.login("alice");
    const browser = await killable(t);
    const enterAnew = async () => {
      const page = await open(await browser.start(), address);
      await enter(page, proxy.url, accessToken);
      return page;
    };
    const settled = (page) => until("nothing waits", () => look(page, "client.getStats().queueSize === 0"));

    // Once the browser has written it to the disk, it outlives everything.
    let page = await enterAnew();
    await proxy.say("silent server");
    await publish(page, ["one", "two", "three-written"]);
    await until("it is on the disk", () => browser.hasWritten("three-written"), 30_000);
    await browser.kill();
    await proxy.say("fair");
    page = await enterAnew();
    await until("all are acked", () => look(page, "acks.length === 3"));
    assert.deepEqual(await stored(here.bmt, server), ["one", "two", "three-written"]);

    // Killed before it wrote down that they were acked: they are sent again, and known.
    await browser.kill();
    page = await enterAnew();
    await settled(page);
    assert.deepEqual(await stored(here.bmt, server), ["one", "two", "three-written"]);

    // Killed before it wrote anything: what is lost is the end, what is not arrives once.
    await proxy.say("silent server");
    await publish(page, NUMBERS);
    await browser.kill();
    await proxy.say("reset");
    await proxy.say("fair");
    page = await enterAnew();
    await settled(page);
    const late = (await stored(here.bmt, server)).slice(3);
    assert.deepEqual(late, NUMBERS.slice(0, late.length));
    await browser.kill();
  });
});
