/** The installed package where WebSockets do not pass: against our server, the official one, and in Chromium. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Server } from "../../../tests/support/server.mjs";
import { mintToken, SECRET } from "../../../tests/support/token.mjs";
import { Gate } from "./support/gate.mjs";
import { installed } from "./support/installed.mjs";
import { buildPage, launch, open, serve } from "./support/page.mjs";
import { FakeStorage } from "./support/storage.mjs";
import { until } from "./support/until.mjs";

const FAST = { reconnect: { baseMs: 50, capMs: 200 } };
const OFFICIAL = fileURLToPath(new URL("../../../tests/support/yardstick.mjs", import.meta.url));

describe("the package where no WebSocket passes", () => {
  const here = installed();

  function member(t, url, auth, options = {}) {
    const client = new here.bmt.RealtimeClient(url, { auth, ...FAST, ...options });
    t.after(() => client.disconnect());
    return client;
  }

  async function pair(t, server, url, options) {
    const clients = [];
    for (const name of ["alice", "bob"]) {
      clients.push(member(t, url, (await server.login(name)).accessToken, options));
    }
    await Promise.all(clients.map((client) => client.connect()));
    return clients;
  }

  it("goes on over HTTP within the first attempt", async (t) => {
    const server = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0" });
    const gate = await Gate.before(t, server.port, { open: false });
    const [alice, bob] = await pair(t, server, gate.url);
    const received = [];
    await bob.subscribe("public:chat", ({ payload }) => received.push(payload));
    const numbers = Array.from({ length: 300 }, (_, n) => n);
    await Promise.all(numbers.map((n) => alice.publish("public:chat", { n, text: "你好 \u001e" })));
    await until("bob has all", () => received.length === numbers.length);
    assert.deepEqual(received.map(({ n }) => n), numbers);
    assert.equal(received[0].text, "你好 \u001e");
    assert.equal(gate.sockets, 0);
    assert.ok(gate.polls > 4, "it polled");
  });

  it("begins so where the page before found that out, for this server and for an hour", async (t) => {
    const server = await Server.start(t);
    const gate = await Gate.before(t, server.port, { open: false });
    const { accessToken } = await server.login("alice");
    const storage = new FakeStorage();
    /** How many WebSockets a new page tries before it is connected to `url`. */
    const tried = async (url) => {
      const { refused } = gate;
      const client = member(t, url, accessToken, { storage });
      await client.connect();
      client.disconnect();
      return gate.refused - refused;
    };
    const KEY = "realtime_needs_polling";
    assert.equal(await tried(gate.url), 1);
    const [until] = storage.getItem(KEY).split(" ");
    assert.equal(storage.getItem(KEY), `${until} ${gate.url}`);
    assert.ok(Math.abs(until - Date.now() - 3_600_000) < 60_000, until);
    assert.equal(await tried(gate.url), 0);
    for (const stale of [`${Date.now() - 1} ${gate.url}`, `${Date.now() + 7_200_000} ${gate.url}`, "x", "1 2 3"]) {
      storage.setItem(KEY, stale);
      assert.equal(await tried(gate.url), 1, stale);
    }
    // Another server may be reached otherwise, and leaves what is known of this one.
    assert.equal(await tried(server.url), 0);
    assert.equal(await tried(gate.url), 0);
    // A WebSocket that opens makes an end of it.
    storage.setItem(KEY, `${Date.now() - 1} ${gate.url}`);
    gate.open = true;
    await tried(gate.url);
    assert.equal(gate.sockets, 1);
  });

  it("loses nothing when the server is killed and comes back", async (t) => {
    const server = await Server.start(t);
    const [alice, bob] = await pair(t, server, server.url, { transports: ["polling"] });
    const received = [];
    await bob.subscribe("public:chat", ({ payload }) => received.push(payload));
    await alice.publish("public:chat", "before");
    await server.kill();
    const waiting = alice.publish("public:chat", "meanwhile");
    await server.run();
    await waiting;
    await until("bob has both", () => received.length === 2);
    assert.deepEqual(received, ["before", "meanwhile"]);
  });

  it("speaks with the official server over HTTP alone", async (t) => {
    const { port } = await official(t);
    const url = `http://127.0.0.1:${port}`;
    const [alice, bob] = ["alice", "bob"].map((sub) =>
      member(t, url, mintToken({ sub, name: sub }), { transports: ["polling"] }),
    );
    await Promise.all([alice.connect(), bob.connect()]);
    const received = [];
    await bob.subscribe("public:chat", ({ payload }) => received.push(payload));
    for (const text of ["one", "two", "three"]) await alice.publish("public:chat", { text });
    await until("bob has all", () => received.length === 3);
    assert.deepEqual(received.map(({ text }) => text), ["one", "two", "three"]);
  });

  it("polls where the host has no WebSocket at all, and says so once", async (t) => {
    const server = await Server.start(t);
    const project = await mkdtemp(path.join(tmpdir(), "bmt-bare-"));
    t.after(() => rm(project, { recursive: true, force: true }));
    await cp(path.join(here.project, "node_modules/@bmt"), path.join(project, "node_modules/@bmt"), { recursive: true });
    const program = path.join(project, "program.mjs");
    await writeFile(program, BARE);
    const { accessToken } = await server.login("alice");
    const ran = await promisify(execFile)(process.execPath, [program, server.url, accessToken]);
    const { seqs, refusals } = JSON.parse(ran.stdout);
    assert.deepEqual(seqs, [1, 2]);
    assert.equal(ran.stderr.match(/has no WebSocket/g).length, 1, ran.stderr);
    // The raw endpoint and any other WebSocket server have no polling to fall back to.
    assert.equal(refusals.length, 2);
    for (const refusal of refusals) assert.match(refusal, /has no WebSocket: use Node 22 or newer, or install/);
  });

  it("lets a WebSocket take the session over when the network is another one, and loses nothing", async (t) => {
    const site = await buildPage(here.project);
    const page = await open(await (await launch(t)).newContext(), await serve(t, site));
    const ours = await Server.start(t, { BMT_LIMITS__PUBLISH_PER_SECOND: "0", BMT_HTTP__ALLOWED_ORIGINS: "*" });
    const servers = [
      [ours.port, (await ours.login("alice")).accessToken],
      [(await official(t)).port, mintToken({ sub: "alice", name: "alice" })],
    ];
    for (const [port, token] of servers) {
      const gate = await Gate.before(t, port, { open: false });
      const count = 200;
      const received = page.evaluate(publishAll, [gate.url, token, count]);
      await until("the client polls", () => gate.polls > 3);
      gate.open = true;
      await page.evaluate(() => window.dispatchEvent(new Event("online")));
      assert.deepEqual(await received, Array.from({ length: count }, (_, n) => n));
      assert.equal(gate.sockets, 1);
      const { polls } = gate;
      await page.evaluate(() => window.client.publish("public:chat", "over the WebSocket"));
      assert.equal(gate.polls, polls, "nobody polls any more");
      await page.evaluate(() => window.client.disconnect());
    }
  });
});

/** Two clients, one after the other, where neither Node nor a package has a WebSocket. */
const BARE = `
delete globalThis.WebSocket;
const { RealtimeClient, WebSocketManager, WsClient } = await import("@bmt/realtime");
const [url, auth] = process.argv.slice(2);
const seqs = [];
for (const text of ["one", "two"]) {
  const client = new RealtimeClient(url, { auth });
  await client.connect();
  seqs.push((await client.publish("public:chat", text)).seq);
  client.disconnect();
}
const refusals = [];
const raw = new WsClient({ url, token: auth, autoConnect: false });
await raw.connect().catch(({ message }) => refusals.push(message));
const socket = new WebSocketManager("ws://127.0.0.1:1/");
const told = new Promise((resolve) => socket.on("error", resolve));
socket.connect();
refusals.push((await told).message);
console.log(JSON.stringify({ seqs, refusals }));
`;

/** The official Node server, with the events of the seeds. */
async function official(t) {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  const env = { ...process.env, BMT_AUTH__JWT_SECRET: SECRET, BMT_HTTP__ALLOWED_ORIGINS: "*" };
  const child = spawn(process.execPath, [OFFICIAL, String(port)], { env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return { port };
}

/** Runs in the page: publishes numbers one after the other until all came back, and until a WebSocket took over. */
async function publishAll([url, auth, count]) {
  const client = new window.bmt.RealtimeClient(url, { auth });
  window.client = client;
  const received = [];
  await client.connect();
  await client.subscribe("public:chat", ({ payload }) => received.push(payload));
  for (let n = 0; n < count; n++) {
    await client.publish("public:chat", n);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  while (received.length < count) await new Promise((resolve) => setTimeout(resolve, 10));
  return received;
}
