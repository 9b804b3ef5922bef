/** Many connections, one after the other, and what may be left of them. */

/** `BMT_CYCLES=10000` makes it as many as SPEC asks for; the ordinary run is content with a few hundred. */
export const CYCLES = Number(process.env.BMT_CYCLES ?? 300);
/** Until everything that is made once has been made. */
export const WARM_UP = Math.max(100, CYCLES / 20);
/**
 * The collector is sent through after so many: it knows nothing of the engine's memory, so by itself it lets clients
 * that nobody holds any more pile up there for as long as their small part of the heap bothers nobody.
 */
const BETWEEN_COLLECTIONS = 100;
/** What a heap may have grown by though nothing is left: what the engine compiled, kept and cached of its own, bytes. */
const NOISE_BYTES = 300_000;
/** A timer, a closure or a message that is left of every cycle would be more. */
const MOST_BYTES_PER_CYCLE = 40;

/** The most bytes by which a heap may have grown. */
export const MOST_BYTES = NOISE_BYTES + CYCLES * MOST_BYTES_PER_CYCLE;

/** Long enough for a slow machine, ms. */
export const TIMEOUT_MS = 60_000 + CYCLES * 200;

/**
 * Ways to come and go. `host` has a client, makes others, and knows the sockets that are open. They are sent to pages
 * as their text.
 */
export const WAYS = {
  "one client that connects, publishes and disconnects": async ({ client }) => {
    await client.connect();
    await client.publish("public:chat", "hello");
    client.disconnect();
  },
  "one client whose connection breaks": async ({ client, openSockets }) => {
    if (!client.isConnected()) await client.connect();
    await client.publish("public:chat", "hello");
    const back = new Promise((resolve) => client.once("reconnected", resolve));
    for (const socket of openSockets()) socket.close();
    await back;
  },
  "a client of its own for each": async ({ make }) => {
    const client = make();
    await client.connect();
    const { unsubscribe } = await client.subscribe("public:chat", ({ payload }) => client.lastPayload = payload);
    await client.publish("public:chat", "hello");
    await unsubscribe();
    client.disconnect();
  },
};

/** A token that outlives them all. */
export const token = (server) => server.token({ exp: Math.floor((Date.now() + TIMEOUT_MS) / 1_000) });

/** A maker of clients. The provider of tokens knows the client, as that of an application does. */
export function maker(RealtimeClient, url, auth) {
  return () => {
    const client = new RealtimeClient(url, {
      auth: () => (client.isConnected() ? "" : auth),
      reconnect: { baseMs: 1, capMs: 1 },
    });
    return client;
  };
}

/** Runs so many cycles, with the collector after every hundred of them. */
export async function repeat(cycles, run, collect) {
  for (let left = cycles; left > 0; left -= BETWEEN_COLLECTIONS) {
    await run(Math.min(left, BETWEEN_COLLECTIONS));
    await collect();
  }
}
