/** The types: what they let through, what they refuse, and that they stand without being skipped. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";

import { installed } from "./support/installed.mjs";
import { typescript } from "./support/typescript.mjs";

describe("the types", () => {
  const here = installed({ also: ["react", "@types/react", "csstype"] });

  async function compile(name, code) {
    const file = path.join(here.project, name);
    await writeFile(file, code);
    typescript(here.project, file);
  }

  it("know a payload by its channel's name or pattern", () =>
    compile(
      "payloads.ts",
      `import { Realtime, RealtimeClient, RealtimeManager, type Channel, type Message } from "@bmt/realtime";
       interface Channels {
         "public:chat": { content: string };
         "user:*": { urgent: boolean };
       }
       const client = new RealtimeClient<Channels>("http://x");
       // @ts-expect-error: content is a string
       void client.publish("public:chat", { content: 1 });
       // @ts-expect-error: nothing is said about this channel
       void client.subscribe("public:other", ({ payload }) => payload.content);
       void client.subscribe("public:chat", ({ payload }) => payload.content.length);
       void client.subscribe("user:12", ({ payload }) => payload.urgent === true);
       // @ts-expect-error: no such event
       client.on("mesage", () => {});

       const chat: Channel<{ content: string }> = client.channel("public:chat");
       // @ts-expect-error: content is a string
       void chat.publish({ content: 1 });
       chat.on("message", ({ payload }) => payload.content.length);
       export async function read(): Promise<number> {
         for await (const { payload } of client.channel("user:7")) if (payload.urgent) return 1;
         return 0;
       }
       const manager = new RealtimeManager<Channels>("http://x", { retryMs: 5 });
       manager.subscribe("user:1", ({ payload }) => payload.urgent);
       // @ts-expect-error: urgent is a boolean
       void manager.publish("user:1", { urgent: "yes" });
       Realtime.subscribe<{ n: number }>("public:n", ({ payload }: Message<{ n: number }>) => payload.n + 1);
       // @ts-expect-error: what is not said is unknown
       Realtime.subscribe("public:n", ({ payload }) => payload.n);
      `,
    ));

  it("know a frame by its type, and an action by what its handler says", () =>
    compile(
      "frames.ts",
      `import { WebSocketManager, WsClient, WsErrorCode, createMessage, registerHandler, safePublish } from "@bmt/realtime";
       import { RealtimeClient } from "@bmt/realtime";
       const ws = new WsClient({ token: "t", clientId: "c", protocol: "1.0", autoConnect: false });
       ws.on("error", ({ code, details }) => code === WsErrorCode.AUTH_FAILED && details?.code);
       ws.on("connect", ({ user }) => user.userId);
       ws.on("of-my-own", (data) => data.anything);
       registerHandler<{ content: string }>("new_message", ({ data }) => data.content.length);
       createMessage("a", { n: 1 }).data.n.toFixed();
       const socket = new WebSocketManager("ws://x", { protocols: ["a"], messageExpiry: 5 });
       socket.on("reconnect", ({ attempt, maxAttempts, delay }) => attempt + maxAttempts + delay);
       const sent: boolean = socket.send(new Blob(["x"])) && socket.send(new ArrayBuffer(1)) && socket.send({ a: 1 });
       export default sent;
       const client = new RealtimeClient<{ "public:chat": { content: string } }>("http://x");
       void safePublish("public:chat", { content: "x" }, 3, { client });
      `,
    ));

  it("take what was written for the first protocol", () =>
    compile(
      "first.ts",
      `import * as bmt from "@bmt/realtime";
       export async function start(token: string): Promise<void> {
         const client = new bmt.RealtimeClient("ws://localhost:5000", {
           reconnectionDelay: 1000, maxReconnectAttempts: 5, reconnectionAttempts: 5, heartbeatInterval: 30000, maxQueueSize: 1000,
         });
         const { connectionId } = await client.connect(token);
         client.on("message", ({ id, topic, type, payload, timestamp, from, seq }) => [id, topic, type, payload, timestamp, from, seq]);
         client.on("tokenExpired", () => {});
         client.on("reconnectFailed", () => {});
         const { subscriberCount } = await client.subscribe("public:chat");
         const { deliveredTo } = await client.publish("public:chat", { text: "x" }, { ackRequired: true, priority: "normal", ttl: 0 });
         bmt.Realtime.init({
           url: "ws://localhost:3000", auth: () => token, heartbeatInterval: 30000,
           reconnect: { enabled: true, maxAttempts: -1, baseMs: 1000, capMs: 30000 },
         });
         await bmt.Realtime.connect();
         const subscription = bmt.Realtime.subscribe("chat-room-1", (message) => message.payload);
         subscription.unsubscribe();
         const { status, subscriptions, queueSize, reconnectCount } = bmt.Realtime.getStats();
         console.log(connectionId, subscriberCount, deliveredTo, status, subscriptions, queueSize, reconnectCount);
         const queue = new bmt.OfflineMessageQueue();
         await queue.add("public:chat", { text: "x" });
         await queue.flush((topic, payload) => client.publish(topic, payload));
         new bmt.MessageBuffer(100).addMessage({});
         new bmt.MessageDeduplicator(1000).isDuplicate("a");
         await bmt.safePublish("public:chat", { text: "x" }, 3);
         const manager = new bmt.WebSocketManager("wss://api.example.com/chat", {
           maxReconnectAttempts: 5, reconnectDelay: 1000, maxReconnectDelay: 30000, heartbeatInterval: 30000,
           pongTimeout: 5000, maxQueueSize: 50, messageExpiry: 300000, protocols: [],
         });
         manager.on("stateChange", (event) => [event.oldState, event.newState]);
         manager.on("message", (event) => event.data.userName);
         manager.connect();
         const { connectionState, readyState, reconnectAttempts, queueLength, lastPongTime, stats } = manager.getState();
         console.log(connectionState, readyState, reconnectAttempts, queueLength, lastPongTime, stats.totalConnectTime);
         const handlers = new bmt.MessageEventHandler();
         handlers.registerHandler("new_message", async (message) => console.log(message.data));
         const kept = new bmt.RealtimeManager();
         kept.subscriptions.set("public:chat", (message: bmt.RealtimeMessage<{ text: string }>) => message.payload.text);
         await kept.connect(token);
         const config: bmt.WsConfig = { token, clientId: "client_123", protocol: "1.0" };
         const state: bmt.ConnectionStatus = client.state;
         const action: bmt.WebSocketMessage = bmt.createMessage("a", {});
         console.log(config, state, action);
       }
      `,
    ));

  it("stand in hooks as well", () =>
    compile(
      "hooks.tsx",
      `import { RealtimeClient } from "@bmt/realtime";
       import { RealtimeContext, useChannel, usePresence, useRealtime } from "@bmt/realtime/react";
       interface Channels { "public:chat": { text: string } }
       export function View({ client: given }: { client: RealtimeClient<Channels> }) {
         const { publish, error, client } = useRealtime<Channels>("http://x", null);
         const message: string | null = error;
         // @ts-expect-error: text is a string
         void publish("public:chat", { text: 1 });
         const { messages } = useChannel<{ text: string }>("public:chat", { client: given });
         const { users } = usePresence("public:chat");
         return (
           <RealtimeContext value={client}>
             {message}{messages.map(({ payload }) => payload.text)}{users.map(({ name }) => name)}
           </RealtimeContext>
         );
       }
      `,
    ));
});
