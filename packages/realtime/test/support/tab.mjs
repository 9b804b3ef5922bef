/** A client in a page of the browser: `window.client`, and what it heard. */
import { FAST } from "./member.mjs";

/**
 * Makes the client and connects it: everything it receives on `topic` is in `window.received`, every ack in
 * `window.acks`, what became of the others in `window.losses`, and what it was warned of in `window.warnings`.
 */
export async function enter(page, url, auth, { topic = "public:chat", connect = true, ...options } = {}) {
  await page.evaluate(
    async ([url, options, topic, connect]) => {
      const client = new window.bmt.RealtimeClient(url, options);
      Object.assign(window, { client, received: [], acks: [], losses: [], warnings: [], failures: [] });
      client.on("ack", (ack) => window.acks.push(ack));
      for (const name of ["queueRejected", "queueExpired", "queueOverflow"]) {
        client.on(name, ({ messageId, topic, error }) => window.losses.push([name, messageId, topic, error?.code]));
      }
      client.on("warning", ({ code }) => window.warnings.push(code));
      client.on("error", ({ code }) => window.failures.push(code));
      if (!connect) return;
      await client.connect();
      if (topic) await client.subscribe(topic, (message) => window.received.push(message));
    },
    [url, { auth, ...FAST, ...options }, topic, connect],
  );
}

/** Publishes without waiting for anything. */
export const publish = (page, payloads, topic = "public:chat") =>
  page.evaluate(
    ([topic, payloads]) => {
      for (const payload of payloads) void window.client.publish(topic, payload).catch(() => {});
    },
    [topic, payloads],
  );

/** A variable of the page, or what an expression over its variables says. */
export const look = (page, expression) => page.evaluate(expression);

/** Made once: hashing the password takes the server a while. */
const readers = new WeakMap();

/** All that a channel holds, oldest first, as the server tells a client of its own. */
export async function history(bmt, server, topic = "public:chat") {
  if (!readers.has(server)) readers.set(server, server.login("admin"));
  const { accessToken: auth } = await readers.get(server);
  const client = new bmt.RealtimeClient(server.url, { auth, storage: null });
  await client.connect();
  const all = [];
  for (let after = 0, more = true; more; ) {
    const page = await client.history(topic, { after, limit: 200 });
    all.push(...page.messages);
    after = all.at(-1)?.seq ?? 0;
    more = page.hasMore && page.messages.length > 0;
  }
  client.disconnect();
  return all;
}

/** The same, of each message what was published. */
export const stored = async (...of) => (await history(...of)).map(({ payload }) => payload);
