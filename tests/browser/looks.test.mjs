/** The pages as people see them: every width, theme and language, for a look at the pictures, and no sideways scroll. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { byTestId, launch, logIn, open, rows, say, screenshot } from "../support/browser.mjs";
import { PASSWORD, Server } from "../support/server.mjs";

const WIDTHS = [360, 1280];
const THEMES = ["light", "dark"];
const LOCALES = ["en-US", "zh-CN"];

test("each page fits its width, in both themes and both languages", async (t) => {
  const server = await Server.start(t);
  const browser = await launch(t);
  const bob = await open(browser);
  await bob.goto(`${server.url}/chat/public:general`);
  await logIn(bob, "bob", PASSWORD);
  for (const text of ["Good morning, everyone", "早上好，今天的版本已经发布了", "Release notes: https://example.com/notes"]) {
    await say(bob, text);
    await rows(bob, text).waitFor();
  }
  for (const locale of LOCALES) {
    for (const colorScheme of THEMES) {
      for (const width of WIDTHS) {
        const page = await open(browser, { locale, colorScheme, viewport: { width, height: 800 } });
        const name = `${locale}-${colorScheme}-${width}`;
        await page.goto(`${server.url}/chat/public:general`);
        await byTestId(page, "login-submit").waitFor();
        await fits(page, `login-${name}`);
        await logIn(page, "alice", PASSWORD);
        await rows(page, "Release notes").waitFor();
        await fits(page, `chat-${name}`);
        await page.goto(`${server.url}/settings`);
        await byTestId(page, "theme").first().waitFor();
        await fits(page, `settings-${name}`);
        assert.equal(await page.evaluate(() => document.documentElement.lang), locale === "zh-CN" ? "zh-CN" : "en");
        assert.deepEqual(page.complaints, []);
        await page.context().close();
      }
    }
  }
});

async function fits(page, name) {
  await screenshot(page, name);
  const [content, window] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.ok(content <= window, `${name}: ${content} px of content in a window of ${window} px`);
}
