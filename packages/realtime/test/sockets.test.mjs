/** A reconnecting socket against servers of other people: `ws`, which closes, falls silent and comes back. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";

import { WebSocketServer } from "ws";

import { installed } from "./support/installed.mjs";
import { until } from "./support/until.mjs";

/** Tests reconnect often; people may wait longer. */
const FAST = { reconnectDelay: 20, maxReconnectDelay: 50 };

describe("a reconnecting socket", () => {
  const here = installed();

  /** A server that keeps what it is told, and answers pings unless it is silent. */
  async function serve(t, port = 0) {
    const server = new WebSocketServer({ port, host: "127.0.0.1", handleProtocols: ([first]) => first ?? false });
    await once(server, "listening");
    const heard = [];
    const state = { server, heard, pings: 0, isSilent: false, port: server.address().port };
    server.on("connection", (socket) => {
      socket.on("message", (data, isBinary) => {
        const text = data.toString();
        if (isBinary) heard.push([...data]);
        else if (text.includes('"ping"')) {
          state.pings++;
          if (!state.isSilent) socket.send('{"type":"pong"}');
        } else heard.push(text);
      });
    });
    state.stop = () => {
      for (const socket of server.clients) socket.terminate();
      return new Promise((resolve) => server.close(resolve));
    };
    t.after(state.stop);
    return state;
  }

  function make(t, port, options = {}) {
    const socket = new here.bmt.WebSocketManager(`ws://127.0.0.1:${port}/chat`, { ...FAST, ...options });
    t.after(() => socket.disconnect());
    socket.heard = [];
    for (const name of ["open", "message", "close", "error", "reconnect", "stateChange"]) {
      socket.on(name, (body) => socket.heard.push([name, body]));
    }
    socket.all = (name) => socket.heard.filter(([other]) => other === name).map(([, body]) => body);
    return socket;
  }

  it("sends text, objects and bytes, and hands on what comes", async (t) => {
    const { server, heard, port } = await serve(t);
    const socket = make(t, port, { protocols: ["chat.v1"] });
    assert.equal(socket.send({ n: 1 }), false);
    socket.connect();
    socket.connect();
    await until("it is connected", () => socket.isConnected());
    assert.equal(socket.send("two"), true);
    assert.equal(socket.send(new Uint8Array([3]).buffer), true);
    assert.equal(socket.send(new Uint8Array([4, 4]).subarray(1)), true);
    await until("the server has all", () => heard.length === 4);
    assert.deepEqual(heard, ['{"n":1}', "two", [3], [4]]);
    assert.equal(server.clients.size, 1);
    const [peer] = server.clients;
    assert.equal(peer.protocol, "chat.v1");
    peer.send('{"type":"chat","content":"hi"}');
    peer.send("plain");
    peer.send(Buffer.from([7]));
    await until("all came", () => socket.all("message").length === 3);
    const [object, text, bytes] = socket.all("message");
    assert.deepEqual(object, { data: { type: "chat", content: "hi" }, raw: '{"type":"chat","content":"hi"}' });
    assert.deepEqual(text, { data: "plain", raw: "plain" });
    assert.deepEqual([...new Uint8Array(bytes.data)], [7]);

    const { messagesSent, messagesReceived, currentState, queueLength, uptime } = socket.getStats();
    assert.deepEqual([messagesSent, currentState, queueLength], [4, "connected", 0]);
    assert.ok(messagesReceived >= 3 && uptime >= 0);
    socket.disconnect();
    const moves = socket.all("stateChange").map(({ oldState, newState }) => `${oldState} ${newState}`);
    assert.deepEqual(moves, ["disconnected connecting", "connecting connected", "connected disconnected"]);
    assert.equal(socket.all("close")[0].code, 1000);
    assert.equal(socket.getState().readyState, null);
    await until("the server saw it go", () => server.clients.size === 0);
  });

  it("comes back, and sends then what was sent meanwhile", async (t) => {
    const first = await serve(t);
    const socket = make(t, first.port, { maxReconnectAttempts: -1 });
    socket.connect();
    await until("it is connected", () => socket.isConnected());
    await first.stop();
    await until("it tries again", () => socket.all("reconnect").length > 1);
    for (const n of [1, 2, 3]) assert.equal(socket.send({ n }), false);
    assert.equal(socket.getState().queueLength, 3);
    const second = await serve(t, first.port);
    await until("the server has all", () => second.heard.length === 3);
    assert.deepEqual(second.heard, ['{"n":1}', '{"n":2}', '{"n":3}']);
    assert.equal(socket.all("open").length, 2);
    assert.equal(socket.all("close")[0].code, 1006);
  });

  it("waits twice as long each time, up to the longest delay, and gives up after the last attempt", async (t) => {
    const { port, stop } = await serve(t);
    await stop();
    const socket = make(t, port, { reconnectDelay: 20, maxReconnectDelay: 70, maxReconnectAttempts: 4 });
    socket.connect();
    await until("it gave up", () => socket.all("reconnect").length === 4 && socket.getState().connectionState === "disconnected");
    const planned = socket.all("reconnect");
    assert.deepEqual(planned.map(({ attempt, maxAttempts }) => [attempt, maxAttempts]), [[1, 4], [2, 4], [3, 4], [4, 4]]);
    for (const [at, middle] of [20, 40, 70, 70].entries()) {
      const { delay } = planned[at];
      assert.ok(delay >= Math.floor(middle * 0.75) && delay <= middle * 1.25, `${at}: ${delay}`);
    }
    assert.equal(socket.getStats().reconnectCount, 4);
    // Asked again, it begins anew.
    socket.connect();
    await until("it tries again", () => socket.all("reconnect").length > 4);
    assert.equal(socket.all("reconnect")[4].attempt, 1);
  });

  it("waits as the core of the other classes waits", async (t) => {
    const { baseMs, capMs, jitter, delaysMs } = JSON.parse(await readFile(new URL("backoff.json", import.meta.url), "utf8"));
    class Refused {
      constructor() {
        queueMicrotask(() => this.onclose({ code: 1006, reason: "", wasClean: false }));
      }
      close() {}
    }
    t.mock.timers.enable({ apis: ["setTimeout"] });
    for (const [random, part] of [[0.5, 1], [0, 1 - jitter], [1, 1 + jitter]]) {
      const chance = t.mock.method(Math, "random", () => random);
      const socket = new here.bmt.WebSocketManager("ws://a.server", { webSocket: Refused, maxReconnectAttempts: delaysMs.length });
      const delays = [];
      socket.on("reconnect", ({ delay }) => delays.push(delay));
      socket.connect();
      while (delays.length < delaysMs.length) {
        const known = delays.length;
        while (delays.length === known) await new Promise(setImmediate);
        t.mock.timers.tick(delays.at(-1));
      }
      assert.deepEqual(delays, delaysMs.map((ms) => ms * part));
      socket.disconnect();
      chance.mock.restore();
    }
    assert.deepEqual([delaysMs[0], delaysMs.at(-1)], [baseMs, capMs]);
  });

  it("comes back after the codes the protocol says, and only after those", async (t) => {
    const { server, port } = await serve(t);
    for (const [code, returns] of [[1000, false], [1008, false], [4002, false], [1011, true], [4003, true], [1009, true]]) {
      const socket = make(t, port);
      socket.connect();
      await until("it is connected", () => socket.isConnected() && server.clients.size === 1);
      for (const peer of server.clients) peer.close(code, "because");
      await until("it is closed", () => socket.all("close").length === 1);
      assert.deepEqual(socket.all("close")[0], { code, reason: "because", wasClean: true });
      assert.equal(socket.all("reconnect").length > 0, returns, String(code));
      if (!returns) assert.equal(socket.getState().connectionState, "disconnected");
      const errors = socket.all("error").map((error) => error.code);
      assert.deepEqual(errors, code === 1009 ? ["message_too_large"] : []);
      socket.disconnect();
      await until("nobody is left", () => server.clients.size === 0);
    }
  });

  it("waits 5 s at least for a server that goes away", async (t) => {
    const { server, port } = await serve(t);
    const socket = make(t, port);
    socket.connect();
    await until("it is connected", () => socket.isConnected() && server.clients.size === 1);
    for (const peer of server.clients) peer.close(1001);
    await until("the next attempt is planned", () => socket.all("reconnect").length === 1);
    assert.equal(socket.all("reconnect")[0].delay, 5_000);
  });

  it("leaves a server that falls silent, and not one that talks of other things", async (t) => {
    const peer = await serve(t);
    const socket = make(t, peer.port, { heartbeatInterval: 30, pongTimeout: 200 });
    socket.connect();
    await until("several pings were answered", () => peer.pings >= 3 && socket.getState().lastPongTime !== null);
    assert.equal(socket.all("close").length, 0);
    assert.equal(socket.all("message").length, 0);
    peer.isSilent = true;
    const talk = setInterval(() => [...peer.server.clients].forEach((client) => client.send("news")), 50);
    t.after(() => clearInterval(talk));
    await until("more than the timeout has passed", () => socket.all("message").length >= 8);
    assert.equal(socket.all("close").length, 0);
    clearInterval(talk);
    await until("it is closed", () => socket.all("close").length === 1);
    assert.equal(socket.all("close")[0].code, here.bmt.CloseCode.HEARTBEAT_TIMEOUT);
    peer.isSilent = false;
    await until("it is back", () => socket.isConnected());
  });

  it("drops the oldest of too many, and what waited too long, and says so", async (t) => {
    const { heard, port } = await serve(t);
    const socket = make(t, port, { maxQueueSize: 2, messageExpiry: 50 });
    for (const text of ["a", "b", "c"]) socket.send(text);
    assert.deepEqual(socket.all("error").map(({ code }) => code), ["queue_overflow"]);
    const added = Date.now();
    await until("they are too old", () => Date.now() - added > 51);
    socket.send("d");
    socket.connect();
    await until("the fresh one came", () => heard.length === 1);
    assert.deepEqual(heard, ["d"]);
    assert.deepEqual(socket.all("error").map(({ code }) => code), ["queue_overflow", "queue_overflow", "queue_expired"]);
  });

  it("says why an address can never be connected to, and does not try again", async (t) => {
    const socket = new here.bmt.WebSocketManager("no address");
    const errors = [];
    socket.on("error", (error) => errors.push(error));
    socket.connect();
    await until("it says so", () => errors.length === 1);
    assert.equal(errors[0].code, "connect_error");
    assert.match(errors[0].message, /no address/);
    assert.equal(socket.getState().connectionState, "disconnected");
  });

  it("can be left and joined from its own listeners", async (t) => {
    const { server, port } = await serve(t);
    const socket = make(t, port);
    const undo = socket.on("open", () => socket.disconnect());
    socket.connect();
    await until("it left", () => socket.all("close").length === 1);
    undo();
    const again = socket.on("close", () => {
      again();
      socket.connect();
    });
    socket.connect();
    await until("it is connected", () => socket.isConnected() && server.clients.size > 0);
    for (const peer of server.clients) peer.terminate();
    await until("it is back at once", () => socket.all("open").length === 3);
    assert.equal(socket.all("reconnect").length, 0);
    socket.off("open");
    socket.off();
  });
});
