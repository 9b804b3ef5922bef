/** The same by the official client, as its documentation shows it: rooms are joined again on every connect. */
import { io } from "socket.io-client";

export async function connect(url, token) {
  const socket = io(url, { auth: { token: `Bearer ${token}` }, transports: ["websocket"] });
  const ask = async (name, body) => {
    const reply = await socket.emitWithAck(name, body);
    if (reply.status !== "success") throw new Error(`${name}: ${JSON.stringify(reply)}`);
    return reply;
  };
  const topics = new Set();
  await new Promise((resolve) => socket.once("connected", resolve));
  socket.on("connected", () => {
    // What is lost once more is asked for again by the next connect.
    for (const topic of topics) ask("subscribe", { topic }).catch(() => {});
  });
  return {
    subscribe(topic, take) {
      topics.add(topic);
      socket.on("message", (message) => message.topic === topic && take(message.payload));
      return ask("subscribe", { topic });
    },
    publish: (topic, payload) => ask("publish", { topic, payload }),
  };
}
