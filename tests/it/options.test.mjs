/**
 * What the official client may be told on its way in, and what stands between it and the server: the cases of its
 * own tests that concern a server (SPEC §6; docs/PROTOCOL.md).
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as dial, createServer } from "node:net";

import { io } from "socket.io-client";

import { ours, test } from "../support/cases.mjs";
import { collect, connect, next, succeed, within } from "../support/official.mjs";
import { Server } from "../support/server.mjs";

const TOPIC = "public:options";

/** Waits until the transport is a WebSocket. */
const upgraded = (socket) =>
  within(
    new Promise((resolve) => {
      const { engine } = socket.io;
      if (engine.transport.name === "websocket") resolve();
      else engine.once("upgrade", resolve);
    }),
    "the upgrade",
  );

/**
 * A proxy that lets everything through but WebSockets: it refuses them, or accepts them and swallows what the client
 * says. `met` counts them.
 */
async function proxy(t, server, { swallows }) {
  const front = createServer((client) => {
    client.on("error", () => {});
    client.once("data", (head) => {
      const asksForWebSocket = /\r\nupgrade: websocket/i.test(head);
      if (asksForWebSocket) place.met += 1;
      if (asksForWebSocket && !swallows) {
        client.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
      }
      const back = dial(server.port, "127.0.0.1");
      back.on("error", () => client.destroy());
      back.write(head);
      back.pipe(client);
      if (asksForWebSocket) client.resume();
      else client.pipe(back);
    });
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  const open = new Set();
  front.on("connection", (socket) => open.add(socket));
  t.after(() => {
    open.forEach((socket) => socket.destroy());
    front.close();
  });
  const place = { url: `http://127.0.0.1:${front.address().port}`, met: 0 };
  return place;
}

for (const transport of ["websocket", "polling"]) {
  test(`parameters, headers and cookies of an application's own do no harm over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const socket = await connect(t, server, server.token({ sub: "u" }), {
      transports: [transport],
      query: { key: "value", "&=?a": "你 好", version: "4", t: "1" },
      extraHeaders: { "x-custom": "value", cookie: "session=1; odd", "user-agent": "tests" },
      withCredentials: true,
      timestampRequests: true,
      perMessageDeflate: { threshold: 0 },
    });
    assert.equal(socket.hello.user.userId, "u");
    await succeed(socket.compress(false), "publish", { topic: TOPIC, payload: "x".repeat(5_000) });
  });

  ours.test(`neither a cookie nor a header nor a parameter speaks for a user over ${transport}`, async (t) => {
    const server = await Server.start(t, { BMT_AUTH__GUESTS: "false" });
    const { accessToken } = await server.login("alice");
    const socket = io(server.url, {
      transports: [transport],
      forceNew: true,
      withCredentials: true,
      query: { token: accessToken },
      extraHeaders: { cookie: `token=${accessToken}`, authorization: `Bearer ${accessToken}` },
    });
    t.after(() => socket.disconnect());
    const error = await next(socket, "connect_error");
    assert.equal(error.message, "Authentication failed: missing");
  });

  ours.test(`a page of another origin is refused before it connects over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const socket = io(server.url, {
      transports: [transport],
      forceNew: true,
      reconnection: false,
      extraHeaders: { origin: "https://elsewhere.example" },
    });
    t.after(() => socket.disconnect());
    const error = await next(socket, "connect_error");
    assert.equal(error.type, "TransportError");
    if (transport === "polling") assert.equal(error.description, 403);
  });
}

test("polling alone stays on polling, whichever way that is asked for", async (t) => {
  const server = await Server.start(t);
  for (const options of [{ transports: ["polling"] }, { transports: ["polling", "websocket"], upgrade: false }]) {
    const socket = await connect(t, server, server.token(), options);
    await succeed(socket, "subscribe", { topic: TOPIC });
    const inbox = collect(socket, TOPIC);
    for (let n = 0; n < 5; n++) await succeed(socket, "publish", { topic: TOPIC, payload: n });
    await inbox.until(5);
    assert.equal(socket.io.engine.transport.name, "polling");
    socket.disconnect();
  }
});

test("an upgrade is remembered where that is asked for", async (t) => {
  const server = await Server.start(t);
  const options = { transports: ["polling", "websocket"], rememberUpgrade: true };
  const first = await connect(t, server, server.token(), options);
  await upgraded(first);
  first.disconnect();
  const second = await connect(t, server, server.token(), options);
  assert.equal(second.io.engine.transport.name, "websocket");
  second.disconnect();
  const third = io(server.url, { ...options, rememberUpgrade: false, auth: { token: server.token() }, forceNew: true });
  t.after(() => third.disconnect());
  assert.equal(third.io.engine.transport.name, "polling");
  await next(third, "connected");
});

ours.test("a disconnect amid an upgrade leaves nothing behind", async (t) => {
  const server = await Server.start(t);
  const { accessToken } = await server.login("admin");
  for (let round = 0; round < 10; round++) {
    const socket = await connect(t, server, server.token(), { transports: ["polling", "websocket"] });
    socket.emit("publish", { topic: TOPIC, payload: round });
    socket.disconnect();
  }
  const left = async () => {
    const answer = await fetch(`${server.url}/api/v1/stats`, { headers: { authorization: `Bearer ${accessToken}` } });
    return (await answer.json()).connections;
  };
  const deadline = Date.now() + 10_000;
  while ((await left()) > 0) {
    assert.ok(Date.now() < deadline, `${await left()} connections are left`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

for (const [does, swallows] of [
  ["refuses WebSockets", false],
  ["swallows what WebSockets say", true],
]) {
  test(`behind a proxy that ${does} a client stays on polling`, async (t) => {
    const server = await Server.start(t, { BMT_LIMITS__AUTHENTICATE_MS: "1000" });
    const place = await proxy(t, server, { swallows });
    const socket = await connect(t, place, server.token(), { transports: ["polling", "websocket"] });
    await succeed(socket, "subscribe", { topic: TOPIC });
    const inbox = collect(socket, TOPIC);
    const parted = [];
    socket.on("disconnect", (reason) => parted.push(reason));
    // Past the time in which an upgrade has to be finished.
    const end = Date.now() + 3_000;
    let sent = 0;
    while (Date.now() < end) {
      assert.equal((await succeed(socket, "publish", { topic: TOPIC, payload: sent })).seq, ++sent);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.deepEqual((await inbox.until(sent)).map((message) => message.payload), Array.from({ length: sent }, (_, n) => n));
    assert.equal(socket.io.engine.transport.name, "polling");
    assert.equal(place.met, 1);
    assert.deepEqual(parted, []);
  });
}

test("a client without a transport that the server has is told so", async (t) => {
  const server = await Server.start(t);
  for (const [query, code] of [
    ["EIO=4&transport=webtransport", 0],
    ["EIO=3&transport=polling", 5],
    // Before its version it is noticed that it is no upgrade.
    ["EIO=3&transport=websocket", 3],
  ]) {
    const answer = await fetch(`${server.url}/socket.io/?${query}`);
    assert.equal(answer.status, 400);
    assert.equal((await answer.json()).code, code, query);
  }
});
