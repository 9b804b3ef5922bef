/** The pages: a host of files that packs them as a web server does, and a browser that comes with nothing cached. */
import { once } from "node:events";
import { mkdtemp, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";

import { launch } from "../../support/browser.mjs";
import { bundleAll, page as pageAround, remove } from "./contenders.mjs";

export class Site {
  #browser;
  #address;

  /** Bundles the clients, serves them and starts a browser, until the scope ends. */
  static async open(scope) {
    const site = new Site();
    const folder = await mkdtemp(path.join(tmpdir(), "bmt-bench-"));
    scope.after(() => remove(folder));
    await bundleAll(folder);
    site.#address = await serve(scope, folder);
    site.#browser = await launch(scope);
    return site;
  }

  /** A page in a browser context of its own: its own process, its own empty cache and storage. */
  async page(scope) {
    const context = await this.#browser.newContext();
    scope.after(() => context.close());
    const page = await context.newPage();
    page.on("pageerror", (error) => console.error(`in the page: ${error}`));
    await page.goto(this.#address);
    return page;
  }
}

async function serve(scope, folder) {
  const packed = new Map();
  const answer = async (url) => {
    if (url === "/") return { type: "text/html", body: gzipSync(await pageAround()) };
    const body = await readFile(path.join(folder, path.normalize(url)));
    return { type: "text/javascript", body: gzipSync(body, { level: 9 }) };
  };
  const server = createServer(async ({ url }, response) => {
    try {
      if (!packed.has(url)) packed.set(url, await answer(url));
      const { type, body } = packed.get(url);
      response.writeHead(200, { "content-type": type, "content-encoding": "gzip", "content-length": body.length });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(() => (server.closeAllConnections(), server.close()));
  return `http://127.0.0.1:${server.address().port}/`;
}
