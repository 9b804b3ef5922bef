/** The tarball itself: what it says of itself holds in every host and bundler, and it is no larger than it may be. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

import { reactSize, REACT_LIMIT_BYTES, sizes } from "../scripts/size.mjs";
import { Server } from "../../../tests/support/server.mjs";
import { installed, ROOT } from "./support/installed.mjs";

/** Runs a tool of this package's own development; a failure says what the tool wrote. */
async function tool(name, ...args) {
  const bin = path.join(ROOT, "node_modules/.bin", name);
  try {
    return await promisify(execFile)(bin, args, { cwd: ROOT, timeout: 120_000 });
  } catch ({ message, stdout, stderr }) {
    throw new Error(`${message}\n${stdout}\n${stderr}`);
  }
}

describe("the tarball", () => {
  const here = installed();

  it("says nothing of itself that publint knows to be wrong", async () => {
    await tool("publint", here.tarball, "--strict");
  });

  it("has types that resolve wherever ES modules do", async () => {
    const noCode = ["--exclude-entrypoints", "./realtime.wasm", "./package.json"];
    await tool("attw", here.tarball, "--profile", "esm-only", ...noCode);
  });

  it("holds what its entries need, and nothing of how it was made", async () => {
    const dist = path.join(here.project, "node_modules/@bmt/realtime/dist");
    const files = await readdir(dist);
    const needed = new Set(["realtime.wasm"]);
    for (const entry of ["index.js", "react.js", "slim.js"]) {
      for (const file of (await sizes(dist, entry)).keys()) needed.add(file);
    }
    assert.deepEqual(files.filter((file) => /\.(js|wasm)$/.test(file)).sort(), [...needed].sort());
    const bytes = await reactSize(dist);
    assert.ok(bytes <= REACT_LIMIT_BYTES, `the hooks are ${bytes} bytes`);
  });

  it("costs a bundle what is used of it, and not the rest", async () => {
    const bundled = async (names) => {
      const contents = `export { ${names} } from "@bmt/realtime";`;
      const stdin = { contents, resolveDir: here.project };
      const { outputFiles } = await build({ stdin, bundle: true, minify: true, format: "esm", write: false, external: ["./engine*"] });
      return gzipSync(outputFiles[0].contents, { level: 9 }).length;
    };
    assert.ok((await bundled("validateChannelName")) < 600);
    const [client, all] = [await bundled("RealtimeClient"), await bundled("RealtimeClient, Realtime, WsClient, WebSocketManager")];
    assert.ok(client < 0.7 * all, `${client} of ${all}`);
  });

  it("gives the same from all of its entries", async () => {
    const slim = await import(pathToFileURL(await entry("slim.mjs", 'export * from "@bmt/realtime/slim";')));
    assert.deepEqual(Object.keys(slim).sort(), [...Object.keys(here.bmt), "init"].sort());
  });

  /** Writes a module into the project. */
  async function entry(name, code) {
    const file = path.join(here.project, name);
    await writeFile(file, code);
    return file;
  }
});

describe("the slim entry", () => {
  const here = installed();
  let slim, wasm;
  before(async () => {
    const root = path.join(here.project, "node_modules/@bmt/realtime");
    const { exports } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
    wasm = await readFile(path.join(root, exports["./realtime.wasm"]));
    const file = path.join(here.project, "slim.mjs");
    await writeFile(file, 'export * from "@bmt/realtime/slim";\n');
    slim = await import(pathToFileURL(file));
  });

  it("says what to call first, tries again what failed, and then works like the other", async (t) => {
    const server = await Server.start(t);
    const { accessToken } = await server.login("alice");
    const client = new slim.RealtimeClient(server.url, { auth: accessToken });
    t.after(() => client.disconnect());
    await assert.rejects(client.connect(), { code: "invalid_operation", message: /init\(/ });

    await assert.rejects(slim.init(new Uint8Array([1, 2, 3])), { code: "connect_error", retryable: true });
    const host = createServer((request, response) => {
      response.writeHead(request.url === "/realtime.wasm" ? 200 : 404, { "content-type": "application/wasm" });
      response.end(request.url === "/realtime.wasm" ? wasm : "");
    });
    await new Promise((resolve) => host.listen(0, "127.0.0.1", resolve));
    t.after(() => host.close());
    const address = `http://127.0.0.1:${host.address().port}`;
    await assert.rejects(slim.init(`${address}/missing.wasm`), { code: "connect_error", message: /404/ });
    await slim.init(`${address}/realtime.wasm`);
    // What is loaded is not loaded again.
    await slim.init(new Uint8Array());

    await client.connect();
    const received = [];
    await client.subscribe("public:chat", ({ payload }) => received.push(payload));
    assert.equal((await client.publish("public:chat", "hello")).seq, 1);
  });
});
