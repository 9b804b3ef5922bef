/** Acked means stored: what survives when the server is killed or stopped (SPEC §5). */
import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, history, next, succeed, within } from "../support/official.mjs";
import { Server } from "../support/server.mjs";

const NO_PUBLISH_LIMIT = { BMT_LIMITS__PUBLISH_PER_SECOND: "0" };

for (const round of [1, 2, 3]) {
  test(`a kill under load loses nothing that was acked, round ${round}`, async (t) => {
    const server = await Server.start(t, NO_PUBLISH_LIMIT);
    const topic = "public:load";
    const acked = new Map();
    const writers = await Promise.all(
      [1, 2, 3, 4].map((n) => connect(t, server, server.token({ sub: `w${n}` }), { reconnection: false })),
    );
    let sent = 0;
    let running = true;
    for (const writer of writers) {
      const publish = () => {
        if (!running) return;
        const payload = ++sent;
        writer.emit("publish", { topic, payload, messageId: `m${payload}` }, (reply) => {
          if (reply.status === "success") acked.set(payload, reply);
          publish();
        });
      };
      // Eight in flight from each writer: the kill falls between acks of one commit and the next.
      for (let n = 0; n < 8; n++) publish();
    }
    const { epoch } = await succeed(writers[0], "history", { topic });
    await within(
      (async () => {
        while (acked.size < 300 + round * 100) await new Promise((resolve) => setImmediate(resolve));
      })(),
      "enough acks",
      20_000,
    );
    await server.kill();
    running = false;
    const before = new Map(acked);
    await server.run();

    const reader = await connect(t, server, server.token({ sub: "reader" }));
    const kept = await history(reader, topic);
    assert.equal(kept.epoch, epoch, "the numbering goes on");
    assert.deepEqual(kept.messages.map((message) => message.seq), kept.messages.map((_, n) => n + 1), "no gap");
    const bySeq = new Map(kept.messages.map((message) => [message.seq, message]));
    for (const [payload, reply] of before) {
      const message = bySeq.get(reply.seq);
      assert.equal(message?.payload, payload, `acked ${payload} stands at ${reply.seq}`);
      assert.equal(message.id, reply.messageId);
    }
    assert.equal(new Set(kept.messages.map((message) => message.payload)).size, kept.messages.length, "nothing twice");
    const next = await succeed(reader, "publish", { topic, payload: "after" });
    assert.equal(next.seq, kept.seq + 1);
  });
}

test("a messageId is remembered across a restart", async (t) => {
  const server = await Server.start(t);
  const body = { topic: "public:chat", payload: "once", messageId: "key" };
  const first = await succeed(await connect(t, server, server.token()), "publish", body);
  await server.kill();
  await server.run();
  const again = await succeed(await connect(t, server, server.token()), "publish", body);
  assert.deepEqual([again.messageId, again.seq, again.duplicate], [first.messageId, 1, true]);
});

test("a stop tells clients to come back, and official clients do", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token());
  const { epoch, seq } = await succeed(socket, "subscribe", { topic: "public:chat" });
  const closing = next(socket, "closing");
  const reason = next(socket, "disconnect");
  const { ms, code } = await server.stop();
  assert.equal(code, 0);
  assert.ok(ms < 10_000, `stopped in ${ms} ms`);
  assert.equal((await closing).code, 1012);
  assert.notEqual(await reason, "io server disconnect", "that would keep an official client away for good");

  const back = next(socket, "connected");
  await server.run();
  await back;
  const recovered = await succeed(socket, "subscribe", { topic: "public:chat", since: { seq, epoch } });
  assert.equal(recovered.recovered, true);
});

test("a second process on the same data directory refuses to start and says why", async (t) => {
  const server = await Server.start(t);
  const second = new Server(server.dataDir, server.port + 1, {});
  await assert.rejects(second.run(), (error) => error.message.includes(server.dataDir) || /in use|another/.test(error.message));
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200, "the first one goes on");
});
