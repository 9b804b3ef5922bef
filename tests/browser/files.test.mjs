/** Files that would run, opened in the browser at the address they are handed out under (FAULTS 59, SPEC §8). */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";

import { launch, open } from "../support/browser.mjs";
import { Server } from "../support/server.mjs";

/** How long a script that runs after all may take to be noticed, in ms, where there is nothing to wait for. */
const NOTICED_MS = 5_000;

/** What each script does: leaves a mark on the origin, asks for an address, and speaks up. */
const script = (name) =>
  `try{localStorage.setItem("ran","${name}")}catch{}new Image().src="/ran/${name}";alert("${name}")`;

const html = (name) => `<!DOCTYPE html><html><body><script>${script(name)}</script></body></html>`;
const svg = (name) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="new Image().src='/ran/${name}'">` +
  `<script>${script(name).replaceAll("&", "&amp;")}</script></svg>`;
const xml = (name) =>
  `<?xml version="1.0"?><x><s:script xmlns:s="http://www.w3.org/1999/xhtml">${script(name)}</s:script></x>`;

/** A picture 10,799 wide, because that is how `/*` reads as a width; as a script it is a comment and what follows. */
const polyglot = (name) =>
  Buffer.concat([
    Buffer.from("GIF89a/*"),
    Buffer.from([1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255]),
    Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b]),
    Buffer.from(`*/=1;${script(name)}`),
  ]);

const pdf = (name) =>
  `%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert\\("${name}"\\))>>>>endobj\n` +
  "2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF";

/** The smallest picture there is: one point. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=",
  "base64",
);

/** A name, the type it is declared as, its bytes, and whether it is a picture and shown as one. */
const CASES = [
  ["script.svg", "image/svg+xml", svg("script.svg"), false],
  ["page.png", "image/png", html("page.png"), false],
  ["page.html", "text/html", html("page.html"), false],
  ["page.xhtml", "application/xhtml+xml", `<html xmlns="http://www.w3.org/1999/xhtml"><script>${script("page.xhtml")}</script></html>`, false],
  ["data.xml", "text/xml", xml("data.xml"), false],
  ["code.js", "image/gif", script("code.js"), false],
  ["paper.pdf", "application/pdf", pdf("paper.pdf"), false],
  ["polyglot.gif", "text/javascript", polyglot("polyglot.gif"), true],
  ["picture.html", "text/html", PNG, true],
].map(([name, declared, bytes, isShown]) => ({ name, declared, bytes: Buffer.from(bytes), isShown }));

/** Uploads each; `url` is where others get it. */
async function upload(server) {
  const files = [];
  for (const one of CASES) {
    const form = new FormData();
    form.append("file", new Blob([one.bytes], { type: one.declared }), one.name);
    const answer = await fetch(`${server.url}/api/v1/files/upload`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.token()}` },
      body: form,
    });
    const file = await answer.json();
    assert.equal(answer.status, 201, `${one.name}: ${JSON.stringify(file)}`);
    files.push({ ...one, url: new URL(file.url, server.url).href });
  }
  return files;
}

/** A server of careless people: the same bytes as what they were declared to be, without a header more. */
async function careless(t) {
  const server = createServer((request, response) => {
    const found = CASES.find((one) => request.url === `/${one.name}`);
    response.setHeader("content-type", found?.declared ?? "text/html");
    response.end(found?.bytes ?? "");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** A page, and the names of the scripts that ran in it. */
async function watched(browser, options) {
  const page = await open(browser, options);
  const ran = new Set();
  page.context().on("request", (request) => {
    const found = new URL(request.url()).pathname.match(/^\/ran\/(.*)/);
    if (found) ran.add(found[1]);
  });
  page.context().on("dialog", (dialog) => {
    ran.add(dialog.message());
    dialog.dismiss();
  });
  return { page, ran };
}

/** Opens an address; answers with what was saved instead of shown, if anything was. */
async function visit(page, url) {
  const saved = page.waitForEvent("download", { timeout: NOTICED_MS }).catch(() => undefined);
  const failed = await page.goto(url).then(() => undefined, (error) => String(error));
  if (!failed) return undefined;
  assert.match(failed, /Download is starting|ERR_ABORTED/);
  return saved;
}

test("files that would run are saved, pictures are shown without an origin, and no script runs on ours", async (t) => {
  const server = await Server.start(t);
  const files = await upload(server);
  const { page, ran } = await watched(await launch(t));
  for (const { name, bytes, url, isShown } of files) {
    const told = await fetch(url, { method: "HEAD" });
    assert.equal(told.headers.get("x-content-type-options"), "nosniff", name);
    assert.match(told.headers.get("content-security-policy"), /(^|; )sandbox;/, name);
    assert.match(told.headers.get("content-disposition"), isShown ? /^inline/ : /^attachment/, name);

    const saved = await visit(page, url);
    assert.equal(saved === undefined, isShown, `${name}: ${isShown ? "shown" : "saved"}`);
    if (saved) {
      assert.equal(saved.suggestedFilename(), name);
      assert.deepEqual(await readFile(await saved.path()), bytes, `${name} is saved as it was sent`);
    } else {
      assert.equal(await page.evaluate(() => self.origin), "null", `${name} has no origin`);
      assert.equal(await page.evaluate(() => document.images.length), 1, `${name} is a picture`);
    }
  }
  await page.goto(server.url);
  assert.equal(await page.evaluate(() => localStorage.getItem("ran")), null, "nothing was written on our origin");
  assert.deepEqual([...ran], []);
});

/** Puts each file to every use a page has for an address; answers with the names that were drawn as pictures. */
const useEverywhere = async (files) => {
  const settled = (element, url, attribute = "src") =>
    new Promise((resolve) => {
      element.onload = () => resolve(true);
      element.onerror = () => resolve(false);
      element[attribute] = url;
      document.body.append(element);
    });
  const drawn = [];
  for (const { name, url } of files) {
    if (await settled(document.createElement("img"), url)) drawn.push(name);
    await settled(document.createElement("script"), url);
    const module = document.createElement("script");
    module.type = "module";
    await settled(module, url);
    const style = document.createElement("link");
    style.rel = "stylesheet";
    await settled(style, url, "href");
    await import(url).catch(() => undefined);
    const worker = new Worker(url);
    await new Promise((resolve) => (worker.onerror = worker.onmessage = resolve));
    for (const frame of ["iframe", "object", "embed"]) {
      const element = document.createElement(frame);
      element[frame === "object" ? "data" : "src"] = url;
      document.body.append(element);
    }
  }
  return drawn;
};

test("put to any use in a page without a policy of its own, no file runs and no svg is drawn", async (t) => {
  const server = await Server.start(t);
  const files = await upload(server);
  // Our own page's policy would forbid most of this: what is tried here is what the files' own headers hold.
  const { page, ran } = await watched(await launch(t));
  await page.route(`${server.url}/bare`, (route) => route.fulfill({ contentType: "text/html", body: "<body></body>" }));
  await page.goto(`${server.url}/bare`);
  const drawn = await page.evaluate(useEverywhere, files);
  assert.deepEqual(drawn, files.filter((file) => file.isShown).map((file) => file.name));
  await page.waitForLoadState("networkidle");
  assert.equal(await page.evaluate(() => localStorage.getItem("ran")), null);
  assert.deepEqual([...ran], []);
});

test("the same files, served as what they say they are, do run", async (t) => {
  const origin = await careless(t);
  const { page, ran } = await watched(await launch(t));
  for (const name of ["script.svg", "page.html", "page.xhtml", "data.xml"]) {
    await page.goto(`${origin}/${name}`);
    assert.equal(await page.evaluate(() => localStorage.getItem("ran")), name);
    assert.ok(ran.has(name), name);
  }
  await page.goto(`${origin}/`);
  await page.addScriptTag({ url: `${origin}/polyglot.gif` });
  assert.ok(ran.has("polyglot.gif"), "it is a script as well as a picture");
});
