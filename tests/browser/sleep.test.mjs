/** Tabs and laptops that sleep: what was missed is there again when they wake (SPEC §9, FAULTS 94). */
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";

import { byTestId, connected, launch, logIn, open, rows, textsWith } from "../support/browser.mjs";
import { Freezable } from "../support/freezable.mjs";
import { connect, succeed, within } from "../support/official.mjs";
import { PASSWORD, Server } from "../support/server.mjs";

const SHOWN = "public:general";
const OTHER = "public:elsewhere";

/** Heartbeats so short that a sleep of seconds is one of minutes: the server gives up who is silent that long. */
const HASTY = { BMT_HEARTBEAT__INTERVAL_MS: "1000", BMT_HEARTBEAT__TIMEOUT_MS: "1000" };

/** How soon a page that wakes is connected again, ms (FAULTS 94). */
const BACK_MS = 2_000;

/** Alice's page, which shows one channel and is in another too, and bob, who talks in both. */
async function roomOf(t, browser) {
  const server = await Server.start(t, HASTY);
  const page = await open(browser);
  await page.goto(`${server.url}/chat/${OTHER}`);
  await logIn(page, "alice", PASSWORD);
  await byTestId(page, "composer").waitFor();
  await page.goto(`${server.url}/chat/${SHOWN}`);
  await connected(page);
  const bob = await bobOf(t, server);
  await rows(page, "awake-0").waitFor();
  return { page, bob };
}

/** Bob, who has said something where alice is. */
async function bobOf(t, server) {
  const bob = await connect(t, server, (await server.login("bob")).accessToken);
  for (const topic of [SHOWN, OTHER]) await succeed(bob, "subscribe", { topic });
  await until(async () => (await present(bob)) === 2, "alice to be there");
  await tell(bob, SHOWN, "awake-0");
  return bob;
}

const isShown = (id, more = "") => `!!document.querySelector('[data-testid="${id}"]${more}')`;
const TEXTS = `[...document.querySelectorAll('[data-testid="message"]')].map((row) => row.textContent)`;
const says = (text) => `${TEXTS}.some((shown) => shown.includes("${text}"))`;

/** How many people the server knows to be in the channel that the page shows. */
const present = async (bob) => (await succeed(bob, "presence", { topic: SHOWN })).users.length;

async function until(is, what) {
  const asked = async () => {
    while (!(await is())) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await within(asked(), what, 20_000);
}

const tell = (bob, topic, content) => succeed(bob, "publish", { topic, payload: { type: "text", content } });

/** Talks while alice sleeps, until the server has noticed that she does, and goes on: only a new connection has that. */
async function talkUntilGone(bob) {
  for (const n of [1, 2]) await tell(bob, SHOWN, `missed-${n}`);
  await tell(bob, OTHER, "unread-1");
  await until(async () => (await present(bob)) === 1, "the server to give alice up");
  await tell(bob, SHOWN, "missed-3");
  await tell(bob, OTHER, "unread-2");
}

function inTime(t, woke) {
  const took = performance.now() - woke;
  t.diagnostic(`what was missed is shown ${Math.round(took)} ms after waking`);
  assert.ok(took <= BACK_MS, `${took} ms`);
}

/** Holds what a page that has just woken up shows to what it missed, and to the time that may take. */
async function hasCaughtUp(t, page, bob, woke) {
  await rows(page, "missed-3").waitFor({ timeout: 10_000 });
  inTime(t, woke);
  assert.deepEqual(await textsWith(page, "missed-"), ["missed-1", "missed-2", "missed-3"]);
  const badge = byTestId(page, "channel", `[data-unread="2"]`).filter({ hasText: "elsewhere" });
  await badge.waitFor({ timeout: BACK_MS });
  await tell(bob, SHOWN, "after-4");
  await rows(page, "after-4").waitFor({ timeout: BACK_MS });
  await connected(page, BACK_MS);
}

test("a tab that was frozen until the server gave it up is back within two seconds of its thaw", async (t) => {
  const browser = await launch(t);
  const server = await Server.start(t, HASTY);
  const page = await Freezable.open(browser, `${server.url}/chat/${OTHER}`);
  await page.type('[data-testid="login-username"]', "alice");
  await page.type('[data-testid="login-password"]', PASSWORD);
  await page.value(`document.querySelector('[data-testid="login-submit"]').click()`);
  await page.until(isShown("composer"));
  await page.send("Page.navigate", { url: `${server.url}/chat/${SHOWN}` });
  await page.until(isShown("status", '[data-state="connected"]'));
  const bob = await bobOf(t, server);
  await page.until(says("awake-0"));

  await page.freeze();
  await talkUntilGone(bob);
  const woke = performance.now();
  await page.thaw();
  await page.until(isShown("status", '[data-state="connected"]'));
  await page.see();
  await page.until(says("missed-3"));
  inTime(t, woke);
  await page.until(`document.querySelector('[data-testid="channel"][data-unread="2"]')?.textContent.includes("elsewhere")`);
  assert.equal(await page.value(`${TEXTS}.join(" ").match(/missed-\\d/g).join()`), "missed-1,missed-2,missed-3");
});

test("a laptop that slept until the server gave it up is back within two seconds of its waking", async (t) => {
  const browser = await launch(t);
  const { page, bob } = await roomOf(t, browser);
  const wake = await putToSleep(browser);
  try {
    await talkUntilGone(bob);
  } finally {
    wake();
  }
  await hasCaughtUp(t, page, bob, performance.now());
});

/** Stops all processes of a browser and waits until they stand; answers with how to go on. */
async function putToSleep(browser) {
  const devtools = await browser.newBrowserCDPSession();
  const { processInfo } = await devtools.send("SystemInfo.getProcessInfo");
  const pids = processInfo.map((one) => one.id);
  const stands = async (pid) => {
    const threads = await readdir(`/proc/${pid}/task`);
    const states = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, "utf8")));
    return states.every((state) => /\) [Tt] /.test(state));
  };
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  const wake = () => pids.forEach((pid) => process.kill(pid, "SIGCONT"));
  try {
    await until(async () => (await Promise.all(pids.map(stands))).every(Boolean), "the browser to stand still");
  } catch (error) {
    wake();
    throw error;
  }
  return wake;
}
