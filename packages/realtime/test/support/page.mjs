/**
 * The package in a browser: a Vite build of a page that does nothing but import it, served under a strict
 * content security policy.
 */
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";

import { chromium } from "playwright-core";
import { build } from "vite";

/** The browser of the tests. */
export const CHROMIUM = process.env.BMT_CHROMIUM ?? "/usr/bin/chromium";

export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

const TYPES = { ".html": "text/html", ".js": "text/javascript" };

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>package</title>
<script type="module" src="/main.js"></script>`;

const MAIN = `import * as bmt from "@bmt/realtime";
window.bmt = bmt;
window.inWorker = (...args) => new Promise((resolve, reject) => {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(message));
  worker.postMessage(args);
});`;

const WORKER = `import { RealtimeClient } from "@bmt/realtime";
onmessage = async ({ data: [url, auth, text] }) => {
  const client = new RealtimeClient(url, { auth });
  const warnings = [];
  client.on("warning", ({ code }) => warnings.push(code));
  await client.connect();
  const { seq } = await client.publish("public:chat", text);
  client.disconnect();
  postMessage({ seq, warnings });
};`;

/** Writes the page's sources into a folder. */
export async function writePage(folder) {
  await writeFile(path.join(folder, "index.html"), PAGE);
  await writeFile(path.join(folder, "main.js"), MAIN);
  await writeFile(path.join(folder, "worker.js"), WORKER);
}

/** Builds the page in a project that has the package installed; answers with the folder to serve. */
export async function buildPage(project) {
  await writePage(project);
  const outDir = path.join(project, "site");
  await mkdir(outDir, { recursive: true });
  await build({ root: project, logLevel: "error", build: { outDir }, worker: { format: "es" } });
  return outDir;
}

/** Serves a folder for the length of a test; answers with the address. */
export async function serve(t, folder) {
  const server = createServer(async ({ url }, response) => {
    const file = path.join(folder, url === "/" ? "index.html" : path.normalize(url));
    try {
      const body = await readFile(file);
      response.writeHead(200, {
        "content-type": TYPES[path.extname(file)] ?? "application/octet-stream",
        "content-security-policy":
          "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; img-src data:; connect-src *",
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  t.after(() => server.closeAllConnections());
  return `http://127.0.0.1:${server.address().port}/`;
}

/** A browser for the length of a test. */
export async function launch(t) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  t.after(() => browser.close());
  return browser;
}

/** Opens the page in a context; what it complains of is on record. */
export async function open(context, address) {
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (line) => line.type() === "error" && page.complaints.push(line.text()));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  await page.goto(address);
  await page.waitForFunction(() => "bmt" in window);
  return page;
}
