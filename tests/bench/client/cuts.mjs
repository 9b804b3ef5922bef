/** Cuts of the network, the same for all clients at once: how soon they are back, and what they miss. */
import { setTimeout as sleep } from "node:timers/promises";

import { CONTENDERS, OFFICIAL } from "./contenders.mjs";
import { demand, middle, number, row, title } from "./figures.mjs";
import { Scope } from "./scope.mjs";
import { Source } from "./source.mjs";
import { Wire } from "./wire.mjs";

const PER_SECOND = 20;
const LONG_MS = 1_000 * number("BMT_BENCH_CUT_SECONDS", 30);
const STORM_MS = 1_000 * number("BMT_BENCH_STORM_SECONDS", 180);
const STORM_EVERY_MS = 10_000;
const STORM_CUT_MS = 2_000;
/** How long after the last cut everything must be there. */
const PATIENCE_MS = 60_000;

/** The time from the network's return to the first message. */
export async function back(world, count) {
  title(`after a cut of ${LONG_MS / 1_000} s: ms from the network's return to the next message, middle and all rounds`);
  row("", ...CONTENDERS.flatMap((name) => [name.slice(0, 12), "all"]));
  // A cable that is pulled is seen by the host, a router that fails is not.
  for (const [about, isSeen] of [["the page is told", true], ["nobody is told", false]]) {
    const measured = [];
    for (let n = 0; n < count; n++) measured.push(await measureReturn(world, isSeen, n));
    const cells = CONTENDERS.flatMap((name) => {
      const all = measured.map((round) => round.get(name).toFixed(0)).join(" ");
      return [middle(measured, name, (ms) => ms).toFixed(0), all];
    });
    row(about, ...cells);
  }
}

function measureReturn(world, isSeen, n) {
  return Scope.around(async (scope) => {
    const topic = `public:back-${isSeen ? "seen" : "unseen"}-${n}`;
    const { source, wire, pages } = await listenBehindWire(scope, world, topic);
    const stop = new AbortController();
    const sending = source.keepSending(topic, { bytes: 180, perSecond: PER_SECOND, signal: stop.signal });
    await sleep(2_000);
    const offline = (is) => Promise.all([...pages.values()].map((page) => isSeen && page.context().setOffline(is)));
    wire.cut();
    await offline(true);
    await sleep(LONG_MS);
    wire.mend();
    const mended = Date.now();
    await offline(false);
    const came = await Promise.all(
      [...pages].map(async ([name, page]) => [name, (await page.evaluate(firstAfter, [mended, PATIENCE_MS])) - mended]),
    );
    stop.abort();
    await sending;
    return new Map(came);
  });
}

/** Whether a client that is cut off again and again has everything in the end, once and in order. */
export async function storm(world) {
  const [cut, every, all] = [STORM_CUT_MS, STORM_EVERY_MS, STORM_MS].map((ms) => ms / 1_000);
  title(`a cut of ${cut} s every ${every} s for ${all} s, ${PER_SECOND} messages a second`);
  await Scope.around(async (scope) => {
    const topic = "public:storm";
    const { source, wire, pages } = await listenBehindWire(scope, world, topic);
    const stop = new AbortController();
    const sending = source.keepSending(topic, { bytes: 180, perSecond: PER_SECOND, signal: stop.signal });
    for (let passed = 0; passed < STORM_MS; passed += STORM_EVERY_MS) {
      await sleep(STORM_EVERY_MS - STORM_CUT_MS);
      wire.cut();
      await sleep(STORM_CUT_MS);
      wire.mend();
    }
    stop.abort();
    const sent = await sending;
    // Those that recover need until their next attempt; whoever does not gets nothing more by waiting.
    const recover = [...pages].filter(([name]) => name !== OFFICIAL);
    await Promise.all(recover.map(([, page]) => page.evaluate(allCame, [sent, PATIENCE_MS])));
    row("", "sent", "delivered", "share", "twice", "out of order");
    for (const [name, page] of pages) {
      const came = (await page.evaluate("came")).map(({ n }) => n);
      const delivered = new Set(came).size;
      const unordered = came.filter((n, at) => at > 0 && n < came[at - 1]).length;
      row(name, sent, delivered, `${((100 * delivered) / sent).toFixed(1)} %`, came.length - delivered, unordered);
      const isWhole = came.length === sent && came.every((n, at) => n === at + 1);
      if (name !== OFFICIAL) demand(`${name}: 100 %, once, in order`, isWhole);
    }
  });
}

/** A page of every contender, subscribed behind one wire. */
async function listenBehindWire(scope, { server, site }, topic) {
  const source = await Source.open(scope, server);
  const wire = await Wire.before(scope, server.port);
  const pages = new Map();
  for (const name of CONTENDERS) {
    const page = await site.page(scope);
    await page.evaluate(listen, [name, wire.url, server.token(), topic]);
    pages.set(name, page);
  }
  return { source, wire, pages };
}

/** In the page: notes what comes when. */
async function listen([name, url, token, topic]) {
  window.came = [];
  const { connect } = await import(`/${name}/main.js`);
  const client = await connect(url, token);
  await client.subscribe(topic, ({ n }) => void window.came.push({ n, at: Date.now() }));
}

/** In the page: when the first message after a time came. */
async function firstAfter([time, patience]) {
  for (let waited = 0; waited < patience; waited += 20) {
    const found = window.came.find(({ at }) => at >= time);
    if (found) return found.at;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return Infinity;
}

/** In the page: waits until so many came, or for nothing. */
async function allCame([count, patience]) {
  for (let waited = 0; waited < patience && window.came.length < count; waited += 100) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
