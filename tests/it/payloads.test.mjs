/**
 * What the official client can put into an event, and what becomes of its callbacks: the cases of its own tests
 * that concern a server (SPEC §4; docs/PROTOCOL.md).
 */
import assert from "node:assert/strict";

import { ours, test } from "../support/cases.mjs";
import { collect, connect, history, next, succeed, within } from "../support/official.mjs";
import { Server } from "../support/server.mjs";

const TOPIC = "public:payloads";
const NO_PUBLISH_LIMIT = { BMT_LIMITS__PUBLISH_PER_SECOND: "0" };

/** Texts of one to four bytes a character, and of none that is one character. */
const TEXTS = ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "李O四", "utf8 — string", "🐔🐲👩‍👩‍👧‍👦", "\u0000\u001e\u2028\ufeff", ""];

for (const transport of ["websocket", "polling"]) {
  test(`every JSON value comes back as it was over ${transport}`, async (t) => {
    const server = await Server.start(t, NO_PUBLISH_LIMIT);
    const socket = await connect(t, server, server.token(), { transports: [transport] });
    await succeed(socket, "subscribe", { topic: TOPIC });
    const inbox = collect(socket, TOPIC);
    const date = new Date();
    const payloads = [false, 0, -1.5e300, null, [], {}, [[[]]], { a: { b: [1, "2", { 3: [true] }] } }, date, { date }, ...TEXTS];
    for (const payload of payloads) await succeed(socket, "publish", { topic: TOPIC, payload });
    const expected = JSON.parse(JSON.stringify(payloads));
    assert.deepEqual((await inbox.until(payloads.length)).map((message) => message.payload), expected);
    assert.deepEqual((await history(socket, TOPIC)).messages.map((message) => message.payload), expected);
  });

  test(`binary of every kind comes back as binary and in its place over ${transport}`, async (t) => {
    const server = await Server.start(t, NO_PUBLISH_LIMIT);
    const socket = await connect(t, server, server.token(), { transports: [transport] });
    await succeed(socket, "subscribe", { topic: TOPIC });
    const inbox = collect(socket, TOPIC);
    const bytes = [0, 1, 127, 128, 255];
    const whole = Uint8Array.from([9, 9, ...bytes, 9]);
    const payloads = [
      Uint8Array.from(bytes).buffer,
      Buffer.from(bytes),
      new Uint8Array(whole.buffer, 2, bytes.length),
      new DataView(whole.buffer, 2, bytes.length),
      { deep: [{ in: Buffer.from(bytes) }, "and", new ArrayBuffer(0)], not: { _placeholder: false, num: 0 } },
      Array.from({ length: 10 }, (_, n) => Buffer.alloc(1_000, n)),
      "text between",
      [Buffer.from("a"), { file: Buffer.from(TEXTS.join("")) }],
    ];
    // Without waiting: a part that came late would land in the next event.
    const acks = payloads.map((payload) => succeed(socket, "publish", { topic: TOPIC, payload }));
    await Promise.all(acks);
    const came = (await inbox.until(payloads.length)).map((message) => message.payload);
    assert.deepEqual(came.map(plain), payloads.map(plain));
    assert.ok(Buffer.isBuffer(came[0]) || came[0] instanceof ArrayBuffer);
    assert.deepEqual((await history(socket, TOPIC)).messages.map((message) => plain(message.payload)), payloads.map(plain));
  });

  ours.test(`more binary parts than a packet may have are recovered page by page over ${transport}`, async (t) => {
    const server = await Server.start(t, NO_PUBLISH_LIMIT);
    const writer = await connect(t, server, server.token({ sub: "writer" }));
    const { epoch } = await succeed(writer, "subscribe", { topic: TOPIC });
    const payloads = Array.from({ length: 30 }, (_, n) => (n % 3 ? [Buffer.from([n]), Buffer.from([n, n])] : n));
    for (const payload of payloads) await succeed(writer, "publish", { topic: TOPIC, payload });
    const reader = await connect(t, server, server.token({ sub: "reader" }), { transports: [transport] });
    reader.once("disconnect", (reason) => assert.fail(reason));
    // An official client closes the connection on a packet of more than ten parts.
    const whole = await succeed(reader, "subscribe", { topic: TOPIC, since: { seq: 24, epoch } });
    assert.deepEqual([whole.recovered, whole.messages.length], [true, 6]);
    const left = await succeed(reader, "subscribe", { topic: TOPIC, since: { seq: 0, epoch } });
    assert.deepEqual([left.recovered, left.reason, left.messages.at(-1).seq], [false, "limit", 30]);
    const { results } = await succeed(reader, "subscribe", {
      topics: [TOPIC, TOPIC].map((topic) => ({ topic, since: { seq: 24, epoch } })),
    });
    assert.deepEqual(results.map((result) => result.recovered), [true, false]);
    const { messages } = await history(reader, TOPIC);
    assert.deepEqual(messages.map((message) => plain(message.payload)), payloads.map(plain));
    reader.removeAllListeners("disconnect");
  });

  ours.test(`large texts go through, and one over the limit is refused alone over ${transport}`, async (t) => {
    const server = await Server.start(t, NO_PUBLISH_LIMIT);
    const socket = await connect(t, server, server.token(), { transports: [transport] });
    // Fired at once, a polling client has to split them by the `maxPayload` of the handshake.
    const large = "你好🐲".repeat(6_000);
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, n) => succeed(socket, "publish", { topic: TOPIC, payload: `${n}${large}` })),
    );
    assert.deepEqual(replies.map((reply) => reply.seq), [1, 2, 3, 4, 5, 6, 7, 8]);
    const refused = await socket.timeout(10_000).emitWithAck("publish", { topic: TOPIC, payload: large.repeat(2) });
    assert.equal(refused.code, "message_too_large");
    assert.equal((await succeed(socket, "history", { topic: TOPIC, limit: 1 })).messages[0].payload, `7${large}`);
  });

  test(`an event far over the limit ends the session, and the client comes back over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const socket = await connect(t, server, server.token(), { transports: [transport] });
    const parted = within(new Promise((resolve) => socket.once("disconnect", (...args) => resolve(args))), "disconnect");
    const again = next(socket, "connected");
    socket.emit("publish", { topic: TOPIC, payload: "x".repeat(300_000) });
    const [reason, details] = await parted;
    assert.match(reason, /^transport (close|error)$/);
    if (transport === "polling") assert.equal(details.description, 413, reason);
    await again;
  });
}

test("a callback is awaited, has its time, and fails with the connection", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token());
  assert.equal((await socket.emitWithAck("subscribe", { topic: TOPIC })).status, "success");
  assert.equal((await socket.timeout(10_000).emitWithAck("heartbeat", {})).status, "success");
  assert.equal((await socket.timeout(10_000).emitWithAck("nothing we know", {})).code, "invalid_message");
  await server.freeze();
  await assert.rejects(socket.timeout(200).emitWithAck("heartbeat", {}), /timed out/);
  const lost = assert.rejects(socket.timeout(60_000).emitWithAck("heartbeat", {}), /disconnected/);
  // Still standing: it cannot answer before it is gone.
  await server.kill();
  await lost;
});

test("what the client sends again by itself is published once and in order", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token(), { retries: 10, ackTimeout: 300 });
  await server.freeze();
  const acks = ["a", "b", "c"].map((payload) =>
    within(socket.emitWithAck("publish", { topic: TOPIC, payload, messageId: `id-${payload}` }), `the ack of ${payload}`),
  );
  // The first is sent several times while the server stands still.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  server.thaw();
  const replies = await Promise.all(acks);
  assert.deepEqual(replies.map((reply) => reply.status), ["success", "success", "success"]);
  assert.deepEqual(await stored(t, server), ["a", "b", "c"]);
});

ours.test("what the client keeps for a server that was killed is published once", async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server, server.token(), { retries: 100, ackTimeout: 500 });
  await socket.emitWithAck("publish", { topic: TOPIC, payload: "before", messageId: "id-before" });
  await server.kill();
  const acks = ["a", "b", "c"].map((payload) =>
    within(socket.emitWithAck("publish", { topic: TOPIC, payload, messageId: `id-${payload}` }), `the ack of ${payload}`, 30_000),
  );
  await server.run();
  await Promise.all(acks);
  assert.deepEqual(await stored(t, server), ["before", "a", "b", "c"]);
});

test("a volatile event is sent when there is a connection and dropped when there is none", async (t) => {
  const server = await Server.start(t);
  const reader = await connect(t, server, server.token({ sub: "reader" }));
  await succeed(reader, "subscribe", { topic: TOPIC });
  const writer = await connect(t, server, server.token({ sub: "writer" }));
  const seen = [];
  reader.on("signal", (signal) => seen.push(signal.payload));
  writer.disconnect();
  writer.volatile.emit("signal", { topic: TOPIC, payload: "dropped" });
  const again = next(writer, "connected");
  writer.connect();
  await again;
  const signal = next(reader, "signal");
  writer.volatile.emit("signal", { topic: TOPIC, payload: "sent" });
  assert.equal((await signal).payload, "sent");
  assert.deepEqual(seen, ["sent"]);
});

/** The payloads of the channel, read by somebody else: with `retries` a callback's first argument is an error. */
async function stored(t, server) {
  const reader = await connect(t, server, server.token({ sub: "reader" }));
  return (await history(reader, TOPIC)).messages.map((message) => message.payload);
}

/** The same value with every kind of binary as one that compares by its bytes. */
function plain(value) {
  if (value instanceof ArrayBuffer) return { bytes: Buffer.from(value).toString("hex") };
  if (ArrayBuffer.isView(value)) {
    return { bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex") };
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  }
  return value;
}
