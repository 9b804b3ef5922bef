/**
 * The official Node server with as much of our events as the cases of the official client need, in memory: the
 * yardstick that proves those cases right before our own server is held to them (`BMT_SERVER_KIND=node`). The first
 * argument is the port.
 */
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

import { Server } from "socket.io";

import { SECRET } from "./token.mjs";

const number = (name, fallback) => Number(process.env[name] ?? fallback);

const http = createServer();
const io = new Server(http, {
  cors: { origin: process.env.BMT_HTTP__ALLOWED_ORIGINS ?? false },
  pingInterval: number("BMT_HEARTBEAT__INTERVAL_MS", 10_000),
  pingTimeout: number("BMT_HEARTBEAT__TIMEOUT_MS", 5_000),
  // Twice our payload and 4 KiB, as our frames.
  maxHttpBufferSize: 2 * 65_536 + 4_096,
});
const topics = new Map();

/** What is kept of a topic: its messages in order, and the answers by key. */
function kept(name) {
  if (!topics.has(name)) topics.set(name, { messages: [], answers: new Map() });
  return topics.get(name);
}

/** Most binary parts of a packet: an official client closes the connection on one of more. */
const MOST_BINARIES = 10;

/** How many binary parts there are in a value. */
function binaries(value) {
  if (value === null || typeof value !== "object") return 0;
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return 1;
  return Object.values(value).reduce((sum, inner) => sum + binaries(inner), 0);
}

/** The claims of a token, or the reason why it is refused. */
function verify(token) {
  const [header, body, signature] = String(token).replace(/^Bearer /, "").split(".");
  const expected = createHmac("sha256", SECRET).update(`${header}.${body}`).digest();
  const given = Buffer.from(signature ?? "", "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return "invalid_signature";
  const claims = JSON.parse(Buffer.from(body, "base64url"));
  return claims.exp * 1_000 > Date.now() ? claims : "expired";
}

io.use((socket, next) => {
  const claims = verify(socket.handshake.auth.token);
  if (typeof claims === "string") return next(new Error(`Authentication failed: ${claims}`));
  socket.data.user = { userId: claims.sub, name: claims.name };
  next();
});

/** Each takes a socket and the body of a request, and answers with the body of the success. */
const requests = {
  subscribe(socket, { topic }) {
    socket.join(topic);
    return { topic, subscriberCount: io.sockets.adapter.rooms.get(topic).size, seq: kept(topic).messages.length };
  },
  publish(socket, { topic, payload, messageId }) {
    const { messages, answers } = kept(topic);
    const key = messageId && `${socket.data.user.userId} ${messageId}`;
    if (answers.has(key)) return answers.get(key);
    const message = { id: randomUUID(), topic, type: "event", payload, timestamp: Date.now(), seq: messages.length + 1 };
    messages.push({ ...message, from: socket.data.user.userId });
    io.to(topic).emit("message", messages.at(-1));
    const answer = { messageId: message.id, topic, seq: message.seq };
    if (key) answers.set(key, answer);
    return answer;
  },
  history(_, { topic, after = 0, limit = 50 }) {
    const { messages } = kept(topic);
    const page = [];
    for (const message of messages.slice(after, after + limit)) {
      if (page.length && binaries([...page, message]) > MOST_BINARIES) break;
      page.push(message);
    }
    return { messages: page, seq: messages.length, epoch: "one", hasMore: after + page.length < messages.length };
  },
  signal(socket, { topic, payload }) {
    socket.to(topic).emit("signal", { topic, from: socket.data.user.userId, payload, timestamp: Date.now() });
    return {};
  },
  heartbeat: () => ({}),
};

io.on("connection", (socket) => {
  socket.emit("connected", { connectionId: randomUUID(), timestamp: Date.now(), user: socket.data.user });
  socket.onAny((name, body, reply = () => {}) => {
    const known = Object.hasOwn(requests, name);
    if (known) reply({ type: "ack", status: "success", ...requests[name](socket, body) });
    else reply({ type: "error", status: "error", code: "invalid_message" });
  });
});

const port = Number(process.argv[2]);
http.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
