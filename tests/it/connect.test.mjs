/** Connecting with the official client: who is let in, and how a refusal reads (SPEC §2, §4). */
import assert from "node:assert/strict";
import { test } from "node:test";

import { io } from "socket.io-client";

import { connect, within } from "../support/official.mjs";
import { Server } from "../support/server.mjs";
import { mintToken } from "../support/token.mjs";

for (const transport of ["websocket", "polling"]) {
  test(`a good token is greeted first of all over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const { accessToken, user } = await server.login("alice");
    const socket = io(server.url, { auth: { token: `Bearer ${accessToken}` }, transports: [transport], forceNew: true });
    t.after(() => socket.disconnect());
    const [event, body] = await within(new Promise((resolve) => socket.onAny((...args) => resolve(args))), "any event");
    assert.equal(event, "connected");
    assert.equal(body.user.userId, user.userId);
    assert.equal(body.limits.messageBytes, 65_536);
    assert.ok(Math.abs(body.serverTime - Date.now()) < 5_000);
    assert.notEqual(body.connectionId, socket.id);
    assert.ok(!JSON.stringify(body).includes(socket.io.engine.id), "the private session id is never shown");
  });

  test(`a bad token is refused with its reason over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const past = Math.floor(Date.now() / 1000) - 3_600;
    const refusals = [
      ["malformed", "nonsense"],
      ["invalid_signature", mintToken({}, { secret: "another secret of at least 32 bytes!!" })],
      ["expired", mintToken({ exp: past })],
      ["not_yet_valid", mintToken({ nbf: past + 7_200 })],
    ];
    for (const [reason, token] of refusals) {
      const socket = io(server.url, { auth: { token: `Bearer ${token}` }, transports: [transport], forceNew: true });
      t.after(() => socket.disconnect());
      const error = await within(new Promise((resolve) => socket.once("connect_error", resolve)), "connect_error");
      assert.equal(error.message, `Authentication failed: ${reason}`);
      assert.equal(socket.active, false, "an official client stays away after a refusal");
      socket.disconnect();
    }
  });
}

test("polling upgrades to a WebSocket and keeps its subscriptions", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token(), { transports: ["polling", "websocket"] });
  const upgraded =
    socket.io.engine.transport.name === "websocket"
      ? Promise.resolve()
      : new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
  await within(upgraded, "the upgrade");
  assert.equal(socket.io.engine.transport.name, "websocket");
  assert.equal((await new Promise((resolve) => socket.emit("subscribe", { topic: "public:chat" }, resolve))).status, "success");
});

test("a guest is let in by dev mode and sees only what guests may", async (t) => {
  const server = await Server.start(t);
  const socket = io(server.url, { transports: ["websocket"], forceNew: true });
  t.after(() => socket.disconnect());
  const hello = await within(new Promise((resolve) => socket.once("connected", resolve)), "connected");
  assert.match(hello.user.userId, /^guest_/);
  const ask = (topic) => new Promise((resolve) => socket.emit("subscribe", { topic }, resolve));
  assert.equal((await ask("public:general")).status, "success");
  assert.equal((await ask("public:chat")).code, "permission_denied");
});
