/**
 * A token that ends while the official client is connected: announced, renewed on the live connection, and in the end
 * the end of it (SPEC §2; FAULTS 40, 41).
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { io } from "socket.io-client";

import { collect, connect, next, request, succeed, within } from "../support/official.mjs";
import { Server } from "../support/server.mjs";

const TOPIC = "public:expiry";

/** In so many seconds, as a token says it. */
const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;

/** A client that stays on one transport; it has not connected yet. */
function open(t, server, token, transport) {
  const socket = io(server.url, { auth: { token }, transports: [transport], forceNew: true });
  t.after(() => socket.disconnect());
  return socket;
}

/** Asks something again and again until that time, ms since the Unix epoch, is over. */
async function talkUntil(socket, time) {
  while (Date.now() <= time) {
    await succeed(socket, "history", { topic: TOPIC, limit: 1 });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

for (const transport of ["polling", "websocket"]) {
  test(`a token that ends is announced, and the connection goes on by another one over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const exp = inSeconds(3);
    const socket = open(t, server, server.token({ sub: "u", exp }), transport);
    const [hello] = await Promise.all([next(socket, "connected"), next(socket, "token_expiring")]);
    await succeed(socket, "subscribe", { topic: TOPIC });
    const inbox = collect(socket, TOPIC);
    const parted = [];
    socket.on("disconnect", (reason) => parted.push(reason));
    await succeed(socket, "refresh", { token: `Bearer ${server.token({ sub: "u", exp: inSeconds(600) })}` });
    // Past the end of the first one, with what leeway there may be.
    await talkUntil(socket, (exp + 1) * 1_000);
    const writer = await connect(t, server, server.token({ sub: "writer" }));
    await succeed(writer, "publish", { topic: TOPIC, payload: "after" });
    assert.equal((await inbox.until(1))[0].payload, "after", "its subscriptions live on");
    assert.deepEqual(parted, []);
    assert.equal(socket.io.engine.transport.name, transport);
    assert.ok(hello.connectionId);
  });

  test(`a refresh that is no good is refused, and the connection ends with its token over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const socket = open(t, server, server.token({ sub: "u", exp: inSeconds(3) }), transport);
    const closing = next(socket, "closing");
    const reason = within(new Promise((resolve) => socket.once("disconnect", resolve)), "the end");
    await Promise.all([next(socket, "connected"), next(socket, "token_expiring")]);
    const refused = await request(socket, "refresh", { token: server.token({ sub: "u", exp: 1_000 }) });
    assert.deepEqual([refused.status, refused.code], ["error", "authentication_failed"]);
    const { code, reason: why, retryAfterMs } = await closing;
    assert.deepEqual([code, why, retryAfterMs], [4001, "token_expired", undefined]);
    assert.equal(await reason, "io server disconnect");
    assert.equal(socket.active, false, "without another token it need not come back");
    socket.auth = { token: server.token({ sub: "u" }) };
    const again = next(socket, "connected");
    socket.connect();
    assert.equal((await again).user.userId, "u");
  });
}
