/** Scripts in what people write, shown wherever the app shows what others wrote (FAULTS 63). */
import assert from "node:assert/strict";
import { test } from "node:test";

import { byTestId, launch, logIn, open, screenshot } from "../support/browser.mjs";
import { connect, succeed } from "../support/official.mjs";
import { PASSWORD, Server } from "../support/server.mjs";

const CHANNEL = "public:general";
/** Leads nowhere, and is no address of ours: a request to it is one that nobody asked for. */
const EVIL = "evil.example";
const RUN = "window.ran=1;alert(1)";

const SCRIPTS = [
  `<img src=x onerror="${RUN}">`,
  `<script>${RUN}</script>`,
  `[read this](javascript:${RUN})`,
  `javascript:${RUN}//https://${EVIL}/x`,
  `<a href="data:text/html,<script>${RUN}</script>">a</a>`,
  `data:text/html,<script>${RUN}</script>`,
  `<svg><style><img src=x onerror="${RUN}"></style></svg>`,
  `<svg><animate onbegin="${RUN}" attributeName=x dur=1s>`,
  `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${RUN}&gt;">`,
  `<a href=//${EVIL}>a</a>`,
  `//${EVIL}/x`,
  `**[**[x](javascript:${RUN})**](data:text/html,1)** ![](https://${EVIL}/pixel.png) <https://${EVIL}/>`,
  `"><iframe srcdoc="<script>${RUN}</script>">`,
  `{{constructor.constructor('${RUN}')()}}`,
  `</p></article><base href=https://${EVIL}/><style>*{display:none}</style>`,
];
const EMOJI = "😀".repeat(2_560);
const TURNED = "\u{202e}gpj.exe\u{2066}";
const TEXTS = [...SCRIPTS, EMOJI, TURNED];

/** Alice in the channel, and in `page.happened` all that must not happen there. */
async function enter(browser, server, options = {}) {
  const page = await open(browser, options);
  page.happened = [];
  page.on("dialog", (dialog) => {
    page.happened.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.context().on("request", (request) => {
    if (!request.url().startsWith(server.url)) page.happened.push(`request: ${request.url()}`);
  });
  page.on("framenavigated", (frame) => {
    if (!frame.url().startsWith(server.url)) page.happened.push(`navigation: ${frame.url()}`);
  });
  await page.addInitScript(() => {
    window.reports = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      window.reports.push(`${violatedDirective}: ${blockedURI}`),
    );
  });
  await page.goto(`${server.url}/chat/${CHANNEL}`);
  await logIn(page, "alice", PASSWORD);
  await byTestId(page, "composer").waitFor();
  return page;
}

/** Nothing ran, nothing was refused by the policy because nothing was tried, and the page keeps its width. */
async function unharmed(page) {
  const found = await page.evaluate(() => ({
    ran: window.ran,
    reports: window.reports,
    // An element that only a text could have brought in.
    foreign: [...document.body.querySelectorAll("img,iframe,object,embed,math,base,animate,[onerror],[onbegin],[srcdoc]")].map(
      (element) => element.outerHTML,
    ),
    links: [...document.querySelectorAll("a[href]")]
      .filter((link) => link.origin !== location.origin)
      .map((link) => ({ scheme: link.protocol, rel: link.rel, target: link.target, says: link.textContent, href: link.getAttribute("href") })),
    isWide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  }));
  assert.equal(found.ran, undefined);
  assert.deepEqual(found.reports, []);
  assert.deepEqual(found.foreign, []);
  assert.ok(!found.isWide, "no text makes the page scroll sideways");
  for (const link of found.links) {
    assert.ok(["http:", "https:", "mailto:"].includes(link.scheme), JSON.stringify(link));
    assert.equal(link.rel, "noopener noreferrer nofollow");
    assert.equal(link.target, "_blank");
    assert.equal(link.says, link.href, "a link says where it leads");
  }
  assert.deepEqual(page.happened, []);
  assert.deepEqual(page.complaints, []);
  return found.links;
}

/** Waits for an element with exactly this text. */
async function shown(page, selector, text) {
  const wanted = ({ selector, text }) => [...document.querySelectorAll(selector)].some((element) => element.textContent === text);
  await page.waitForFunction(wanted, { selector, text }).catch(() => assert.fail(`not shown in ${selector}: ${text.slice(0, 80)}`));
}

/** Whether the words at the end of an element stand in their order, left to right. */
const endsInOrder = (locator, words) =>
  locator.evaluate((element, words) => {
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let last;
    while (texts.nextNode()) if (texts.currentNode.data.includes(words)) last = texts.currentNode;
    if (!last) return false;
    const from = last.data.lastIndexOf(words);
    const left = (at) => {
      const range = document.createRange();
      range.setStart(last, at);
      range.setEnd(last, at + 1);
      return range.getBoundingClientRect().left;
    };
    return left(from) < left(from + words.length - 1);
  }, words);

test("scripts in messages are shown as the text they are, and links lead only where the web does", async (t) => {
  const server = await Server.start(t);
  const page = await enter(await launch(t), server);
  const eve = await connect(t, server, server.token({ sub: "eve", name: "Eve" }));
  for (const text of TEXTS) {
    await succeed(eve, "publish", { topic: CHANNEL, payload: { type: "text", content: text } });
    await shown(page, ".message-text", text);
  }
  for (const payload of [{ type: "data", html: SCRIPTS[0] }, [SCRIPTS[1]]]) {
    await succeed(eve, "publish", { topic: CHANNEL, payload });
    await shown(page, ".message-data", JSON.stringify(payload));
  }
  await succeed(eve, "publish", { topic: CHANNEL, payload: { type: "system", content: SCRIPTS[0] } });
  await shown(page, ".message-system .message-text", SCRIPTS[0]);
  const links = await unharmed(page);
  assert.ok(links.length > 0, "what is an address can be followed");
  await screenshot(page, "scripts-messages");

  // The same from the history, and once more as what Alice writes herself.
  await page.reload();
  for (const text of TEXTS) await shown(page, ".message-text", text);
  const composer = byTestId(page, "composer");
  for (const text of SCRIPTS) {
    await composer.fill(text);
    await composer.press("Enter");
  }
  const own = byTestId(page, "message", '[data-state="sent"]').filter({ has: page.locator(".message-text") });
  await own.filter({ hasText: SCRIPTS.at(-1) }).last().waitFor();
  await unharmed(page);
});

test("scripts in names are shown as names, and turn no sentence around", async (t) => {
  const server = await Server.start(t);
  const page = await enter(await launch(t), server);
  for (const [at, name] of TEXTS.entries()) {
    // Once as the token says it, once as the message claims it, which the server does not look into.
    const verified = await connect(t, server, server.token({ sub: `v${at}`, name: name.slice(0, 128) }));
    const claimant = await connect(t, server, server.token({ sub: `c${at}`, name: "Eve" }));
    await succeed(verified, "subscribe", { topic: CHANNEL });
    const says = (who, words) => ({ type: "text", content: words, user: { id: who, name } });
    await succeed(verified, "publish", { topic: CHANNEL, payload: says(`v${at}`, "abcdef") });
    await succeed(claimant, "publish", { topic: CHANNEL, payload: says(`c${at}`, "ghijkl") });
    const first = [...name].slice(0, 128).join("");
    await shown(page, ".message-author", first);
    const row = byTestId(page, "message", `[data-from="c${at}"]`);
    assert.equal(await row.locator(".message-author").textContent(), first);
    const line = byTestId(page, "channel", `[data-topic="${CHANNEL}"]`).locator(".channel-last");
    await line.filter({ hasText: "ghijkl" }).waitFor();
    assert.ok(await endsInOrder(line, "ghijkl"), `${name.slice(0, 20)} turns what follows it around`);
    for (const socket of [verified, claimant]) socket.disconnect();
  }
  await unharmed(page);
  await screenshot(page, "scripts-names");
});

test("scripts in notifications are shown as toasts", async (t) => {
  const server = await Server.start(t);
  const page = await enter(await launch(t), server);
  const notify = async (title, message) => {
    const answer = await fetch(`${server.url}/api/v1/notify`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${server.token({ sub: "root", role: "admin" })}` },
      body: JSON.stringify({ topic: CHANNEL, level: "error", title, message }),
    });
    assert.equal(answer.status, 200, await answer.text());
  };
  for (const text of TEXTS) {
    await notify(text, text);
    const toast = byTestId(page, "toast").last();
    await toast.waitFor();
    const wanted = `${text.replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, "")}\n${text}`;
    assert.equal(await toast.locator("bdi").textContent(), wanted);
    const { height } = await toast.boundingBox();
    assert.ok(height < 300, "the longest leaves room for the page");
    await toast.getByRole("button").click();
    await toast.waitFor({ state: "detached" });
  }
  await unharmed(page);
});

test("scripts in addresses and in what is typed as a channel lead nowhere", async (t) => {
  const server = await Server.start(t);
  const page = await enter(await launch(t), server);
  for (const text of SCRIPTS) {
    for (const address of [`/chat/${encodeURIComponent(text)}`, `/login?next=${encodeURIComponent(text)}`, `/chat#${text}`]) {
      await page.goto(`${server.url}${address}`);
      await byTestId(page, "nav-chat").waitFor();
    }
    await page.goto(`${server.url}/chat/${CHANNEL}`);
    await byTestId(page, "channel-join").click();
    await page.locator(".join input").fill(text);
    await page.locator(".join input").press("Enter");
    await page.locator(".join .field-error").waitFor();
  }
  await unharmed(page);
});

test("the policy would have stopped them, and is listened to", async (t) => {
  const server = await Server.start(t);
  const page = await enter(await launch(t), server);
  await page.evaluate((text) => {
    const careless = document.createElement("div");
    careless.innerHTML = text;
    document.body.append(careless);
  }, SCRIPTS[0]);
  await page.waitForFunction(() => window.reports.some((report) => report.startsWith("script-src-attr")));
  assert.equal(await page.evaluate(() => window.ran), undefined);
  await assert.rejects(unharmed(page), "a script that got into the page is noticed");
});
