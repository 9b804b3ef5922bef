/**
 * How connections of the official client end and begin again: the cases of its own tests that concern a server
 * (SPEC §5, §6; docs/PROTOCOL.md).
 */
import assert from "node:assert/strict";

import { io } from "socket.io-client";

import { ours, test } from "../support/cases.mjs";
import { connect, next, request, succeed, within } from "../support/official.mjs";
import { Server } from "../support/server.mjs";
import { mintToken } from "../support/token.mjs";

/** Heartbeats so short that a test can wait for a missing one. */
const HASTY = { BMT_HEARTBEAT__INTERVAL_MS: "300", BMT_HEARTBEAT__TIMEOUT_MS: "300" };

/** Resolves with the reason of the next disconnect, and with the status and body of the answer that was one. */
const parted = (socket) =>
  within(
    new Promise((resolve) =>
      socket.once("disconnect", (reason, details) =>
        resolve({ reason, status: details?.description, body: details?.context?.responseText }),
      ),
    ),
    "disconnect",
  );

/** A socket that has not connected yet, with everything it says on its way collected. */
function open(t, server, options) {
  const socket = io(server.url, { forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 300, ...options });
  t.after(() => socket.disconnect());
  return socket;
}

for (const transport of ["websocket", "polling"]) {
  test(`a lost transport is followed by a new connection under a new id over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const socket = await connect(t, server, server.token(), { transports: [transport] });
    const before = { id: socket.id, connectionId: socket.hello.connectionId };
    const reason = parted(socket);
    const again = next(socket, "connected");
    socket.io.engine.close();
    assert.equal((await reason).reason, "forced close");
    assert.equal(socket.id, undefined);
    const after = await again;
    assert.notEqual(socket.id, before.id);
    assert.notEqual(after.connectionId, before.connectionId);
    assert.ok(!socket.recovered, "what was missed comes by `since`");
  });

  test(`who disconnects and connects again is let in again over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const socket = await connect(t, server, server.token(), { transports: [transport] });
    for (let round = 0; round < 3; round++) {
      const reason = parted(socket);
      socket.disconnect();
      assert.equal((await reason).reason, "io client disconnect");
      const again = next(socket, "connected");
      socket.connect();
      await again;
      await succeed(socket, "subscribe", { topic: "public:chat" });
    }
  });

  ours.test(`a kicked client stays away and may be let in by hand over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const { accessToken } = await server.login("admin");
    const socket = await connect(t, server, server.token({ sub: "kicked" }), { transports: [transport] });
    const closing = next(socket, "closing");
    const reason = parted(socket);
    const kicked = await fetch(`${server.url}/api/v1/connections/${socket.hello.connectionId}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${accessToken}` },
    });
    assert.ok(kicked.ok, `${kicked.status}`);
    assert.equal((await closing).code, 4002);
    assert.equal((await reason).reason, "io server disconnect");
    assert.equal(socket.active, false, "an official client does not come back by itself");
    const again = next(socket, "connected");
    socket.connect();
    await again;
  });

  test(`a killed server is come back to, and what was emitted meanwhile arrives over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const socket = await connect(t, server, server.token(), { transports: [transport] });
    const reason = parted(socket);
    await server.kill();
    assert.match((await reason).reason, /^transport (close|error)$/);
    assert.equal(socket.active, true);
    const buffered = request(socket, "publish", { topic: "public:chat", payload: "while away" });
    const again = next(socket, "connected");
    await server.run();
    await again;
    assert.equal((await buffered).status, "success");
  });
}

test("a server that falls silent is given up by its ping and come back to", async (t) => {
  const server = await Server.start(t, HASTY);
  const socket = await connect(t, server, server.token());
  const reason = parted(socket);
  await server.freeze();
  assert.equal((await reason).reason, "ping timeout");
  const again = next(socket, "connected");
  server.thaw();
  await again;
});

test("an unknown session is told to a polling client, which opens a new one", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token(), { transports: ["polling"] });
  const reason = parted(socket);
  const again = next(socket, "connected");
  socket.io.engine.transport.query.sid = "AAAAAAAAAAAAAAHs";
  // The poll that waits is ended by its answer; the next one asks for the session that is not there.
  socket.emit("heartbeat", { timestamp: 1 });
  const { reason: text, status, body } = await reason;
  assert.equal(text, "transport error");
  assert.equal(status, 400);
  assert.deepEqual(JSON.parse(body), { code: 1, message: "Session ID unknown" });
  await again;
});

test("a server that is not there is an error after which the client goes on trying", async (t) => {
  const server = await Server.start(t);
  await server.kill();
  const socket = open(t, server, { auth: { token: server.token() }, transports: ["websocket"] });
  const error = await next(socket, "connect_error");
  assert.equal(error.type, "TransportError");
  assert.equal(socket.active, true);
  const again = next(socket, "connected");
  await server.run();
  await again;
});

test("the token may be an object, a function, and another one after a refusal", async (t) => {
  const server = await Server.start(t);
  const expired = mintToken({ exp: 1_000 });
  const socket = open(t, server, { auth: { token: expired }, transports: ["websocket"] });
  const refused = await next(socket, "connect_error");
  assert.equal(refused.message, "Authentication failed: expired");
  assert.equal(refused.data, undefined);
  assert.equal(socket.active, false);
  let asked = 0;
  socket.auth = (give) => setTimeout(() => give({ token: `Bearer ${server.token({ sub: `call-${++asked}` })}` }), 10);
  const hello = next(socket, "connected");
  socket.connect();
  assert.equal((await hello).user.userId, "call-1");
  const again = next(socket, "connected");
  socket.io.engine.close();
  assert.equal((await again).user.userId, "call-2", "it is asked for every connection");
});

test("a namespace that is not there is refused, and the main one on the same connection stays", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token());
  const other = socket.io.socket("/custom", { auth: { token: server.token() } });
  t.after(() => other.disconnect());
  other.connect();
  const error = await next(other, "connect_error");
  assert.equal(error.message, "Invalid namespace");
  assert.equal(other.active, false);
  assert.equal(socket.connected, true);
  other.disconnect();
  await succeed(socket, "subscribe", { topic: "public:chat" });
});

test("two sockets of one page have connections of their own, and one leaves without the other", async (t) => {
  const server = await Server.start(t);
  const options = { auth: { token: server.token() }, transports: ["websocket"] };
  const [first, second] = [io(server.url, options), io(server.url, options)];
  t.after(() => [first, second].forEach((socket) => socket.disconnect()));
  const hellos = await Promise.all([first, second].map((socket) => next(socket, "connected")));
  assert.notEqual(hellos[0].connectionId, hellos[1].connectionId);
  assert.notEqual(first.io, second.io, "the main namespace is not shared");
  first.disconnect();
  await succeed(second, "subscribe", { topic: "public:chat" });
});
