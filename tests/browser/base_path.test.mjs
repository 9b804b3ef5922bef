/** The app of a server that a proxy puts below its own root (`http.base_path`, SPEC §10). */
import assert from "node:assert/strict";
import { test } from "node:test";

import { byTestId, launch, logIn, open, rows, say } from "../support/browser.mjs";
import { PASSWORD, Server } from "../support/server.mjs";

test("below a base path people log in, chat, follow links and come back", async (t) => {
  const server = await Server.start(t, { BMT_HTTP__BASE_PATH: "/realtime" });
  const home = `${server.url}/realtime`;
  const page = await open(await launch(t));

  await page.goto(`${home}/chat/public:general`);
  await logIn(page, "alice", PASSWORD);
  assert.equal(page.url(), `${home}/chat/public:general`, "the deep link survives the login");
  await byTestId(page, "composer").waitFor();
  await say(page, "hello from below");
  await rows(page, "hello from below").and(page.locator('[data-state="sent"]')).waitFor();

  await byTestId(page, "nav-settings").click();
  await page.waitForURL(`${home}/settings`);
  await page.reload();
  await byTestId(page, "nav-chat").click();
  await page.waitForURL(`${home}/chat/**`);
  await rows(page, "hello from below").waitFor();

  await page.goto(`${home}/`);
  await rows(page, "hello from below").waitFor();

  await page.locator(".skip").focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "content");
  assert.ok(page.url().startsWith(`${home}/chat`), "skipping to the content leaves the page where it is");
  assert.deepEqual(page.complaints, []);
});
