/** Devices whose clocks are a day off, and are set while the page is open (SPEC §9, FAULTS 99). */
import assert from "node:assert/strict";
import { test } from "node:test";

import { byTestId, connected, launch, logIn, open, rows, say, textsWith } from "../support/browser.mjs";
import { within } from "../support/official.mjs";
import { PASSWORD, Server } from "../support/server.mjs";

const CHANNEL = "public:general";
const DAY_MS = 86_400_000;
/** The shortest life of a token that a server takes, s. */
const TOKEN_S = 10;

/** What a page takes for the time is this far ahead of it. */
function deviceClock(aheadMs) {
  const Right = Date;
  const now = () => Right.now() + globalThis.clockAheadMs;
  globalThis.clockAheadMs = aheadMs;
  globalThis.Date = class extends Right {
    constructor(...given) {
      if (given.length > 0) super(...given);
      else super(now());
    }
    static now = now;
  };
}

const setClock = (page, aheadMs) => page.evaluate((aheadMs) => void (globalThis.clockAheadMs = aheadMs), aheadMs);

async function enter(browser, server, username, aheadMs) {
  const page = await open(browser);
  await page.addInitScript(deviceClock, aheadMs);
  await page.goto(`${server.url}/chat/${CHANNEL}`);
  await logIn(page, username, PASSWORD);
  await byTestId(page, "composer").waitFor();
  const offBy = (await page.evaluate(() => Date.now())) - Date.now();
  assert.ok(Math.abs(offBy - aheadMs) < DAY_MS / 2, "the page goes by the wrong clock");
  return page;
}

test("people whose clocks are two days apart see one order, and what waits offline is sent once", async (t) => {
  const server = await Server.start(t);
  const browser = await launch(t);
  const alice = await enter(browser, server, "alice", DAY_MS);
  const bob = await enter(browser, server, "bob", -DAY_MS);
  const turns = [alice, bob, alice, bob];
  for (const [n, page] of turns.entries()) {
    await say(page, `line-${n}`);
    for (const each of [alice, bob]) await rows(each, `line-${n}`).waitFor();
  }

  await server.kill();
  await byTestId(alice, "status", ':not([data-state="connected"])').first().waitFor({ state: "attached" });
  await say(alice, "line-4");
  await setClock(alice, -DAY_MS);
  await say(alice, "line-5");
  await setClock(alice, 0);
  await say(alice, "line-6");
  await setClock(bob, DAY_MS);
  await server.run();
  const all = [0, 1, 2, 3, 4, 5, 6].map((n) => `line-${n}`);
  for (const page of [alice, bob]) {
    await rows(page, "line-6").waitFor({ timeout: 20_000 });
    await connected(page);
  }
  await rows(alice, "line-6").and(alice.locator('[data-state="sent"]')).waitFor();
  for (const page of [alice, bob]) assert.deepEqual(await textsWith(page, "line-"), all);
  await say(bob, "line-7");
  await rows(alice, "line-7").waitFor();
  for (const page of [alice, bob]) assert.deepEqual(await textsWith(page, "line-"), [...all, "line-7"]);
});

test("tokens are renewed when the server says, as often as on a device whose clock is right", async (t) => {
  const server = await Server.start(t, { BMT_AUTH__ACCESS_TTL_S: String(TOKEN_S) });
  const browser = await launch(t);
  const people = [];
  for (const [username, aheadMs] of [["admin", 0], ["alice", DAY_MS], ["bob", -DAY_MS]]) {
    const page = await enter(browser, server, username, aheadMs);
    const person = { page, aheadMs, renewals: 0, sockets: 0 };
    page.on("request", (request) => (person.renewals += request.url().endsWith("/auth/refresh") ? 1 : 0));
    page.on("websocket", () => (person.sockets += 1));
    people.push(person);
  }
  for (const { page, aheadMs } of people) await setClock(page, -aheadMs);
  // With the first of them three tokens have come and the first has ended.
  const renewed = async () => {
    while (people[0].renewals < 4) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await within(renewed(), "four renewals", TOKEN_S * 4_000);
  const counts = people.map(({ renewals, sockets }) => ({ renewals, sockets }));
  t.diagnostic(JSON.stringify(counts));
  const [right, ...wrong] = counts;
  for (const one of wrong) {
    assert.ok(one.renewals >= 2 && one.renewals <= right.renewals + 2, "neither none nor one after the other");
    assert.ok(one.sockets <= right.sockets + 1, "no connection is given up for a clock");
  }
  for (const { page } of people) await connected(page);
  const [, alice, bob] = people;
  await say(alice.page, "still here");
  await rows(bob.page, "still here").waitFor();
});
