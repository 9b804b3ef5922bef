/** The parts that need no server: what remembers, what keeps, what takes messages apart. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { installed } from "./support/installed.mjs";
import { FakeStorage } from "./support/storage.mjs";

describe("a deduplicator", () => {
  const here = installed();

  it("knows the last ids it was asked about, and forgets the oldest", () => {
    const seen = new here.bmt.MessageDeduplicator(3);
    assert.deepEqual(["a", "b", "a", "c", "d"].map((id) => seen.isDuplicate(id)), [false, false, true, false, false]);
    assert.deepEqual([...seen.messageIds], ["b", "c", "d"]);
    assert.equal(seen.isDuplicate("a"), false);
    seen.clear();
    assert.equal(seen.isDuplicate("d"), false);
    assert.equal(new here.bmt.MessageDeduplicator().maxSize, 1_000);
  });
});

describe("a message buffer", () => {
  const here = installed();

  it("keeps the newest", () => {
    const buffer = new here.bmt.MessageBuffer(2);
    for (const n of [1, 2, 3]) buffer.addMessage(n);
    assert.deepEqual(buffer.messages, [2, 3]);
    buffer.clear();
    assert.deepEqual(buffer.messages, []);
    assert.equal(new here.bmt.MessageBuffer().maxSize, 100);
  });
});

describe("an action envelope", () => {
  const here = installed();

  it("is made with everything a receiver asks for, and read back", () => {
    const { createMessage, parseMessage } = here.bmt;
    const made = createMessage("new_message", { content: "你好" });
    assert.match(made.id, /^msg_\d{13}_[0-9a-z]{9}$/);
    assert.deepEqual([made.type, made.action, made.data, "sender" in made], ["text", "new_message", { content: "你好" }, false]);
    assert.ok(Math.abs(Date.now() - made.timestamp) < 1_000);
    assert.deepEqual(parseMessage(JSON.stringify(made)), made);
    assert.deepEqual(parseMessage(made), made);
  });

  it("is refused with the field that is missing or wrong", () => {
    const { parseMessage, RealtimeError } = here.bmt;
    for (const [broken, word] of [
      ["{", "JSON"],
      ["3", "object"],
      [null, "object"],
      [{ type: "text", action: "a" }, "`id`"],
      [{ id: "1", action: "a" }, "`type`"],
      [{ id: "1", type: "text", action: "" }, "`action`"],
      [{ id: "1", type: "text", action: "a", timestamp: "now" }, "`timestamp`"],
    ]) {
      assert.throws(() => parseMessage(broken), (error) => {
        assert.ok(error instanceof RealtimeError && error.code === "invalid_message", String(error));
        return error.message.includes(word);
      });
    }
  });

  it("reaches every handler of its action, whatever the others throw", async () => {
    const { MessageEventHandler, createMessage } = here.bmt;
    const [done, errors] = [[], []];
    const handlers = new MessageEventHandler();
    handlers.on("error", ({ message }) => errors.push(message));
    handlers.registerHandler("a", () => {
      throw new Error("at once");
    });
    handlers.registerHandler("a", async () => {
      throw new Error("later");
    });
    handlers.registerHandler("a", ({ data }) => done.push(data));
    await handlers.handleMessage(JSON.stringify(createMessage("a", 1)));
    await handlers.handleMessage(createMessage("b", 2));
    await handlers.handleMessage("no envelope");
    assert.deepEqual(done, [1]);
    assert.deepEqual(errors, ["A handler of `a` failed: at once", "A handler of `a` failed: later"]);
  });
});

describe("a queue of an application's own", () => {
  const here = installed();
  const payloads = (queue) => queue.queue.map(({ payload }) => payload);

  it("keeps what is added in the format of a client's queue, for the next page", async () => {
    const storage = new FakeStorage();
    const queue = new here.bmt.OfflineMessageQueue({ storage, user: "7", server: "http://a.server" });
    await queue.add("public:chat", { n: 1 }, { priority: "high" });
    await queue.add("public:chat", { n: 2 });
    const [entry] = storage.entries();
    assert.deepEqual(
      [entry.topic, entry.payload, entry.options, entry.user, entry.server],
      ["public:chat", { n: 1 }, { priority: "high" }, "7", "http://a.server"],
    );
    assert.match(entry.messageId, /^msg_/);
    const next = new here.bmt.OfflineMessageQueue({ storage, user: "7", server: "http://a.server" });
    assert.deepEqual(payloads(next), [{ n: 1 }, { n: 2 }]);
    for (const options of [{ user: "8" }, { user: "7" }, {}]) {
      assert.deepEqual(payloads(new here.bmt.OfflineMessageQueue({ storage, ...options })), []);
    }
  });

  it("leaves alone what clients and other users' queues keep, full and late as it may be", async () => {
    const storage = new FakeStorage();
    const old = { topic: "public:chat", timestamp: 5, user: "7", server: "http://a.server" };
    // As clients write them, apart and in the array.
    storage.setItem("offline_messages", JSON.stringify([{ ...old, payload: "folded", messageId: "msg_1_a" }]));
    storage.setItem("offline_messages:msg_1_b", JSON.stringify({ ...old, payload: "apart", messageId: "msg_1_b", order: 1 }));
    const mine = { storage, user: "7", server: "http://a.server", size: 2, expiryMs: 1_000 };
    const others = new here.bmt.OfflineMessageQueue({ storage, user: "8" });
    await others.add("public:chat", "another user's");
    const queue = new here.bmt.OfflineMessageQueue(mine);
    for (const n of [1, 2, 3]) await queue.add("public:chat", n);
    const published = [];
    const { sent, lost } = await queue.flush((_, payload) => published.push(payload));
    assert.deepEqual([sent, lost.length, published], [2, 1, [2, 3]]);
    const left = storage.entries().map(({ payload }) => payload);
    assert.deepEqual(left.sort(), ["another user's", "apart", "folded"]);
    // What a queue of the page before left is this one's.
    await queue.add("public:chat", 4);
    assert.deepEqual(payloads(new here.bmt.OfflineMessageQueue(mine)), [4]);
  });

  it("flushes in order, keeps what may succeed later, and gives up what cannot", async () => {
    const { OfflineMessageQueue, RealtimeError } = here.bmt;
    const storage = new FakeStorage();
    const queue = new OfflineMessageQueue({ storage });
    for (const n of [1, 2, 3, 4]) await queue.add("public:chat", n);
    const published = [];
    const publish = (errors) => async (topic, payload, { messageId }) => {
      if (errors[payload]) throw errors[payload];
      published.push([topic, payload, messageId.slice(0, 4)]);
    };
    const refused = new RealtimeError("no", { code: "permission_denied" });
    const report = await queue.flush(publish({ 2: new Error("network"), 3: refused }));
    assert.deepEqual([report.sent, report.kept, report.lost.length, report.lost[0].error], [2, 1, 1, refused]);
    assert.deepEqual(payloads(queue), [2]);
    assert.deepEqual(storage.entries().map(({ payload }) => payload), [2]);
    const [first, second] = [queue.flush(publish({})), queue.flush(publish({}))];
    assert.equal(first, second);
    assert.deepEqual(await first, { sent: 1, kept: 0, lost: [] });
    assert.deepEqual(published.map(([, payload]) => payload), [1, 4, 2]);
    assert.deepEqual(storage.entries(), []);
  });

  it("leaves alone what another tab has sent, and names what the first format left", async () => {
    const storage = new FakeStorage();
    const old = [{ topic: "public:chat", payload: "old", timestamp: 5 }, "broken"];
    storage.setItem("offline_messages", JSON.stringify(old));
    const options = { storage, expiryMs: 0 };
    const [one, other] = [new here.bmt.OfflineMessageQueue(options), new here.bmt.OfflineMessageQueue(options)];
    assert.deepEqual(payloads(one), ["old"]);
    assert.equal(one.queue[0].messageId, other.queue[0].messageId);
    const published = [];
    await one.flush((_, payload) => published.push(payload));
    await other.flush((_, payload) => published.push(payload));
    assert.deepEqual(published, ["old"]);
  });

  it("drops the oldest beyond its size, and what waited too long", async () => {
    const queue = new here.bmt.OfflineMessageQueue({ storage: null, size: 2, expiryMs: 1_000 });
    for (const n of [1, 2, 3]) await queue.add("public:chat", n);
    assert.deepEqual(payloads(queue), [2, 3]);
    queue.queue[0].timestamp -= 2_000;
    const report = await queue.flush(() => {});
    assert.equal(report.sent, 1);
    assert.deepEqual(report.lost.map(({ error }) => error?.code), [undefined, "queue_expired"]);
  });

  it("lives in memory where storage is full", async () => {
    const storage = new FakeStorage();
    storage.quota = 10;
    const queue = new here.bmt.OfflineMessageQueue({ storage });
    await queue.add("public:chat", 1);
    assert.deepEqual(await queue.flush(() => {}), { sent: 1, kept: 0, lost: [] });
  });
});
