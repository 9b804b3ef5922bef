/** Two people chat through the page; the server dies in the middle, and nothing is lost (SPEC §5.3, §11). */
import assert from "node:assert/strict";
import { test } from "node:test";

import { byTestId, connected, launch, logIn, open, rows, say, screenshot, textsWith } from "../support/browser.mjs";
import { connect, history } from "../support/official.mjs";
import { PASSWORD, Server } from "../support/server.mjs";

const CHANNEL = "public:general";

/** What Chromium itself says about a server that is gone; the page cannot keep it quiet. */
const OUTAGE = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket connection to .* failed|Failed to load resource/;

async function enter(browser, server, username, options) {
  const page = await open(browser, options);
  await page.goto(`${server.url}/chat/${CHANNEL}`);
  await logIn(page, username, PASSWORD);
  assert.ok(page.url().endsWith(`/chat/${CHANNEL}`), "the deep link survives the login");
  await byTestId(page, "composer").waitFor();
  return page;
}

test("alice and bob chat both ways in under a second", async (t) => {
  const server = await Server.start(t);
  const browser = await launch(t);
  const alice = await enter(browser, server, "alice");
  const bob = await enter(browser, server, "bob");
  for (const [from, to, text] of [
    [alice, bob, "hello bob"],
    [bob, alice, "你好 alice"],
  ]) {
    const began = performance.now();
    await say(from, text);
    await rows(to, text).waitFor({ timeout: 1_000 });
    t.diagnostic(`${text}: shown after ${Math.round(performance.now() - began)} ms`);
    const own = rows(from, text);
    await own.and(from.locator('[data-state="sent"]')).waitFor({ timeout: 1_000 });
    assert.equal(await own.count(), 1, "the sender sees the row once");
  }
  await screenshot(alice, "chat-alice");
  await screenshot(bob, "chat-bob");
  assert.deepEqual([...alice.complaints, ...bob.complaints], []);
});

test("three messages written while the server is dead arrive once and in order after a reload", async (t) => {
  const server = await Server.start(t);
  const browser = await launch(t);
  const alice = await enter(browser, server, "alice");
  const bob = await enter(browser, server, "bob");
  await say(alice, "before-0");
  await rows(bob, "before-0").waitFor();
  assert.deepEqual([...alice.complaints, ...bob.complaints], []);

  await server.kill();
  for (const n of [1, 2, 3]) await say(alice, `queued-${n}`);
  for (const n of [1, 2, 3]) await rows(alice, `queued-${n}`).waitFor({ timeout: 1_000 });
  await byTestId(alice, "status", ':not([data-state="connected"])').first().waitFor({ state: "attached" });
  await screenshot(alice, "chat-offline");
  // The server that is gone also serves the page, so this reload shows the browser's own error page.
  await alice.reload().catch((error) => assert.match(String(error), /ERR_CONNECTION_REFUSED/));

  await server.run();
  await alice.goto(`${server.url}/chat/${CHANNEL}`);
  await connected(alice);
  await rows(bob, "queued-3").waitFor({ timeout: 40_000 });
  assert.deepEqual(await textsWith(bob, "queued-"), ["queued-1", "queued-2", "queued-3"]);
  await rows(alice, "queued-3").and(alice.locator('[data-state="sent"]')).waitFor();
  assert.deepEqual(await textsWith(alice, "queued-"), ["queued-1", "queued-2", "queued-3"]);

  await say(bob, "after-4");
  await rows(alice, "after-4").waitFor({ timeout: 1_000 });
  assert.deepEqual(await textsWith(bob, "queued-"), ["queued-1", "queued-2", "queued-3"], "and not once more");
  const complaints = [...alice.complaints, ...bob.complaints].filter((text) => !OUTAGE.test(text));
  assert.deepEqual(complaints, []);
});

test("two hundred messages written offline are all stored, once and in order, after a reload", async (t) => {
  const server = await Server.start(t);
  const browser = await launch(t);
  const alice = await enter(browser, server, "alice");
  await server.kill();
  await byTestId(alice, "status", ':not([data-state="connected"])').first().waitFor({ state: "attached" });
  const written = Array.from({ length: 200 }, (_, n) => `written-${n}`);
  await byTestId(alice, "composer").click();
  for (const text of written) {
    await alice.keyboard.insertText(text);
    await alice.keyboard.press("Enter");
  }
  const waiting = rows(alice, written.at(-1)).and(alice.locator('[data-state="sending"]'));
  await waiting.waitFor();
  await alice.reload().catch((error) => assert.match(String(error), /ERR_CONNECTION_REFUSED/));

  await server.run();
  await alice.goto(`${server.url}/chat/${CHANNEL}`);
  await rows(alice, written.at(-1)).and(alice.locator('[data-state="sent"]')).waitFor({ timeout: 40_000 });
  const bob = await connect(t, server, (await server.login("bob")).accessToken);
  const { messages } = await history(bob, CHANNEL);
  assert.deepEqual(messages.map((message) => message.payload.content), written);
  assert.equal(await alice.locator('[data-testid="message"]:not([data-state="sent"])').count(), 0, "nothing waits");
});

test("a wrong password says so and leaves the form", async (t) => {
  const server = await Server.start(t);
  const browser = await launch(t);
  const page = await open(browser);
  await page.goto(`${server.url}/login`);
  await byTestId(page, "login-username").fill("alice");
  await byTestId(page, "login-password").fill("wrong");
  await byTestId(page, "login-submit").click();
  await byTestId(page, "login-error").waitFor();
  assert.notEqual((await byTestId(page, "login-error").textContent()).trim(), "");
  await logIn(page, "alice", PASSWORD);
});
