/**
 * The official Node server with the same behaviour as ours, without storage: what a good Node developer would
 * write. Rooms carry the fan-out, a map of counters the seqs; WebSocket only, no compression (its default).
 */
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

import { Server } from "socket.io";

const secret = process.env.BMT_AUTH__JWT_SECRET;
const http = createServer();
const io = new Server(http, { transports: ["websocket"], pingInterval: 10_000, pingTimeout: 5_000 });
const seqs = new Map();

function verify(token) {
  const [header, body, signature] = String(token).replace(/^Bearer /, "").split(".");
  const expected = createHmac("sha256", secret).update(`${header}.${body}`).digest();
  const given = Buffer.from(signature ?? "", "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const claims = JSON.parse(Buffer.from(body, "base64url"));
  return claims.exp * 1000 > Date.now() ? claims : null;
}

const mayUse = (user, topic) =>
  user.role === "admin" || topic.startsWith("public:") || topic.startsWith(`user:${user.sub}:`);

io.use((socket, next) => {
  const claims = verify(socket.handshake.auth.token);
  if (!claims) return next(new Error("Authentication failed: invalid_signature"));
  socket.data.user = claims;
  next();
});

io.on("connection", (socket) => {
  const { user } = socket.data;
  socket.emit("connected", { connectionId: randomUUID(), timestamp: Date.now(), user: { userId: user.sub } });
  socket.on("subscribe", ({ topic, messageId }, reply) => {
    if (!mayUse(user, topic)) return reply({ type: "error", id: messageId, status: "error", code: "permission_denied" });
    socket.join(topic);
    const subscriberCount = io.sockets.adapter.rooms.get(topic).size;
    reply({ type: "ack", id: messageId, status: "success", topic, subscriberCount, seq: seqs.get(topic) ?? 0 });
  });
  socket.on("publish", ({ topic, payload, messageId }, reply) => {
    if (!mayUse(user, topic)) return reply({ type: "error", id: messageId, status: "error", code: "permission_denied" });
    const seq = (seqs.get(topic) ?? 0) + 1;
    seqs.set(topic, seq);
    const message = { id: randomUUID(), topic, type: "event", payload, timestamp: Date.now(), from: user.sub, seq };
    io.to(topic).emit("message", message);
    const deliveredTo = io.sockets.adapter.rooms.get(topic)?.size ?? 0;
    reply({ type: "ack", id: messageId, status: "success", messageId: message.id, topic, seq, deliveredTo });
  });
});

http.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${http.address().port}`));
