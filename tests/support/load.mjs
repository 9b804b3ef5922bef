/**
 * A client of the fault suite: the official one, unmodified, told what to do by JSON lines on its standard input and
 * telling what it saw on its standard output. What an application has to do for itself is done as PROTOCOL.md says:
 * it subscribes again from where it stands, and pages where that is too much for one answer.
 *
 * In: `{do: "connect", url, token, backoffCapMs}`, `{do: "subscribe", channel}`, `{do: "publish", channel, id, payload}`.
 * Out: `"connected"`, `{lost: reason}`, `{refused: reason}`, and `{record: event}` with the events of `tests/histcheck`.
 * The end of its input ends it.
 */
import { createInterface } from "node:readline";

import { io } from "socket.io-client";

/** How long an answer may take before a request is sent again, in ms. */
const ANSWER_MS = 5_000;
/** Messages of one page of the history. */
const PAGE = 200;

let socket;
/** Each channel's epoch, the seq it stands at, and the messages that wait for an answer (null: none is awaited). */
const channels = new Map();

const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const record = (event) => tell({ record: event });

const orders = {
  connect({ url, token, backoffCapMs }) {
    socket = io(url, {
      auth: { token: `Bearer ${token}` },
      transports: ["websocket"],
      reconnectionDelay: Math.min(100, backoffCapMs),
      reconnectionDelayMax: backoffCapMs,
      // The client's own queue: one publish after the other, each sent again until it is answered.
      retries: Infinity,
      ackTimeout: ANSWER_MS,
    });
    socket.on("connected", () => {
      tell("connected");
      for (const channel of channels.keys()) subscribe(channel);
    });
    socket.on("disconnect", (reason) => tell({ lost: reason }));
    socket.on("connect_error", (error) => tell({ refused: error.message }));
    socket.on("message", (message) => channels.has(message.topic) && take(message));
    socket.on("gap", ({ topic }) => channels.has(topic) && subscribe(topic));
  },

  subscribe({ channel }) {
    channels.set(channel, { held: [] });
    if (socket.connected) subscribe(channel);
  },

  publish({ channel, id, payload }) {
    socket.emit("publish", { topic: channel, payload, messageId: id }, (_, reply) => {
      if (reply.status === "success") record({ kind: "ok", id, channel, seq: reply.seq });
      else record({ kind: "fail", id, channel, reason: reply.code });
    });
  },
};

/** Asks until there is an answer or the connection is another; `again` says whether it asked more than once. */
function ask(event, body, answered, again = false) {
  const { id } = socket;
  // Volatile: not behind the publishes of the queue.
  socket.volatile.timeout(ANSWER_MS).emit(event, body, (error, reply) => {
    if (socket.id !== id) return;
    if (error) ask(event, body, answered, true);
    else if (reply.status === "success") answered(reply, again);
    else setTimeout(() => socket.id === id && ask(event, body, answered, true), reply.retryAfterMs ?? ANSWER_MS);
  });
}

/** Asks for a channel, from where it stands. */
function subscribe(channel) {
  const state = channels.get(channel);
  state.held = [];
  const since = state.epoch && { seq: state.at, epoch: state.epoch };
  ask("subscribe", { topic: channel, since }, (reply, again) => {
    const { epoch, recovered, reason, seq } = reply;
    if (since && reason === "limit" && epoch === state.epoch) return page(channel);
    record({ kind: "subscribed", channel, epoch, recovered, reason, from: since?.seq, to: seq });
    state.epoch = epoch;
    if (recovered) reply.messages.forEach(deliver);
    state.at = seq;
    release(channel, again);
  });
}

/** Reads on from where a channel stands until that meets the live stream. */
function page(channel) {
  const state = channels.get(channel);
  state.held ??= [];
  ask("history", { topic: channel, after: state.at, limit: PAGE }, (reply) => {
    if (reply.epoch !== state.epoch) return subscribe(channel);
    reply.messages.forEach(deliver);
    if (reply.hasMore) page(channel);
    else release(channel, true);
  });
}

/** Hands on what waited; where an answer may hold some of it too, what stands behind the position is known already. */
function release(channel, overlaps) {
  const state = channels.get(channel);
  const waiting = state.held;
  state.held = null;
  for (const message of waiting) {
    if (!overlaps || message.seq > state.at) take(message);
  }
}

/** Takes a message of the live stream. */
function take(message) {
  const state = channels.get(message.topic);
  if (state.held) state.held.push(message);
  else if ((message.prev ?? message.seq - 1) > state.at) {
    state.held = [message];
    page(message.topic);
  } else deliver(message);
}

function deliver({ topic, seq, prev, id, clientMessageId }) {
  const state = channels.get(topic);
  state.at = seq;
  record({ kind: "deliver", channel: topic, epoch: state.epoch, seq, id: clientMessageId ?? id, prev });
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  orders[order.do](order);
}
socket?.disconnect();
