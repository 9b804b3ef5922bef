/** The channels that an application holds on to, so that asking for one again answers with the same object. */

import { Channel } from "./channel.js";
import type { RealtimeClient } from "./client.js";
import type { ChannelTypes } from "./types.js";

/** So many new names between two looks for those that nobody holds any more. */
const SWEEP_EVERY = 1_000;

/** @internal It keeps none of them alive. */
export class Channels {
  readonly #byName = new Map<string, WeakRef<Channel>>();
  #added = 0;

  of(client: RealtimeClient<ChannelTypes>, name: string): Channel {
    const known = this.#byName.get(name)?.deref();
    if (known) return known;
    if (++this.#added % SWEEP_EVERY === 0) this.#sweep();
    const channel = new Channel(client, name);
    this.#byName.set(name, new WeakRef(channel));
    return channel;
  }

  #sweep(): void {
    for (const [name, channel] of this.#byName) if (!channel.deref()) this.#byName.delete(name);
  }
}
