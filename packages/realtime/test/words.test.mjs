/** What the package says in TypeScript is what the protocol says in Rust: both read `words.json`. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";

import { installed } from "./support/installed.mjs";

const words = JSON.parse(await readFile(new URL("words.json", import.meta.url), "utf8"));

/** Names that the first protocol version gave to numbers whose codes are called otherwise. */
const FIRST_NAMES = { AUTHENTICATION_FAILED: "AUTH_FAILED", RATE_LIMITED: "RATE_LIMIT" };

describe("the words of the protocol", () => {
  const here = installed();

  it("names every error code, and no other", () => {
    const codes = Object.fromEntries(words.errors.map(({ code }) => [code.toUpperCase(), code]));
    assert.deepEqual({ ...here.bmt.ErrorCode }, codes);
  });

  it("gives every error code its number", () => {
    const names = words.errors.map(({ code, number }) => [code.toUpperCase(), number]);
    const numbers = Object.fromEntries(names.map(([name, number]) => [FIRST_NAMES[name] ?? name, number]));
    assert.deepEqual({ ...here.bmt.WsErrorCode }, numbers);
  });

  it("names every close code, and no other", () => {
    const numbers = words.closes.map(({ number }) => number);
    assert.deepEqual(Object.values(here.bmt.CloseCode), numbers);
  });

  it("comes back after the codes the protocol says", () => {
    for (const { number, reconnects } of words.closes) {
      assert.equal(here.bmt.shouldReconnect(number), reconnects, String(number));
    }
    assert.equal(here.bmt.shouldReconnect(4999), true);
  });

  it("judges channel names alike", () => {
    for (const { name, valid } of words.channelNames) {
      assert.equal(here.bmt.validateChannelName(name), valid, name);
    }
  });

  it("makes message ids of the form the protocol gives", () => {
    const ids = new Set(Array.from({ length: 1_000 }, () => here.bmt.generateMessageId()));
    assert.equal(ids.size, 1_000);
    for (const id of ids) assert.match(id, /^msg_\d{13}_[0-9a-z]{9}$/);
  });

  it("takes channel names apart", () => {
    assert.deepEqual(here.bmt.parseChannelName("public:chat"), { type: "public", name: "chat", full: "public:chat" });
    assert.deepEqual(here.bmt.parseChannelName("lobby"), { type: "lobby", name: "", full: "lobby" });
  });

  it("grants on every channel what the server's defaults grant", () => {
    for (const { role, userId, permissions, channels } of words.permissions) {
      for (const [channel, subscribes, publishes] of channels) {
        const asked = [channel, role, userId, permissions];
        assert.equal(here.bmt.canAccessChannel(...asked), subscribes, `subscribe ${asked}`);
        assert.equal(here.bmt.canPublishToChannel(...asked), publishes, `publish ${asked}`);
      }
    }
  });
});
