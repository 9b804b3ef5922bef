/** What the bench asks of a client, by this product's own. */
import { RealtimeClient } from "@bmt/realtime";

export async function connect(url, token) {
  const client = new RealtimeClient(url, { auth: token });
  await client.connect();
  return {
    /** `take` gets the payload of every message, over every reconnect. */
    subscribe: (topic, take) => client.subscribe(topic, ({ payload }) => take(payload)),
    /** Resolves with the server's ack. */
    publish: (topic, payload) => client.publish(topic, payload),
  };
}
