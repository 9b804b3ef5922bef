/** One channel of a client. */

import type { RealtimeClient, Subscription } from "./client.js";
import type { Listener, Unlisten } from "./emitter.js";
import { aborted, RealtimeError } from "./error.js";
import { MessageStream } from "./message-stream.js";
import type {
  ChannelTypes,
  Events,
  HistoryOptions,
  HistoryPage,
  Message,
  MessageHandler,
  Present,
  PresenceList,
  Published,
  PublishOptions,
  SubscribeOptions,
  WaitOptions,
} from "./types.js";

/** The events that are about one channel. */
export type ChannelEvents<Payload> = Pick<Events, "signal" | "subscribed" | "presence" | "receipt" | "gap" | "unsubscribed"> & {
  message: Message<Payload>;
};

/**
 * A channel by name, as `client.channel(name)` gives it: always the same object while somebody holds it. It holds no
 * subscription of its own; each `subscribe()` and each loop over it does, and with the last one the subscription ends.
 *
 * @typeParam Payload - what travels on it
 *
 * @example
 * const chat = client.channel("public:chat");
 * await chat.publish({ text: "hello" });
 * for await (const { payload } of chat) {
 *   if (payload.text === "bye") break; // ends the subscription
 * }
 */
export class Channel<Payload = unknown> implements AsyncIterable<Message<Payload>> {
  /** The channel's name. */
  readonly name: string;
  readonly #client: RealtimeClient<ChannelTypes>;

  /** @internal Applications ask `client.channel(name)`. */
  constructor(client: RealtimeClient<ChannelTypes>, name: string) {
    this.#client = client;
    this.name = name;
  }

  /**
   * Subscribes; see {@link RealtimeClient.subscribe}.
   *
   * @param handler - takes every message, in order, each once
   * @returns the server's reply, and the undo of this call alone
   * @throws {@link RealtimeError} `permission_denied`, `channel_not_found`, `invalid_message`, `subscribe_failed`
   */
  subscribe(handler?: MessageHandler<Payload>, options?: SubscribeOptions): Promise<Subscription> {
    return this.#client.subscribe(this.name, handler as MessageHandler<unknown>, options);
  }

  /** Takes one handler away, or everything of this channel where none is named. */
  unsubscribe(handler?: MessageHandler<Payload>): Promise<void> {
    return this.#client.unsubscribe(this.name, handler as MessageHandler<never>);
  }

  /**
   * Publishes; see {@link RealtimeClient.publish}.
   *
   * @returns when the server stored it
   * @throws {@link RealtimeError} what the server refused it with, `queue_expired`, `queue_overflow`
   */
  publish(payload: Payload, options?: PublishOptions): Promise<Published> {
    return this.#client.publish(this.name, payload, options);
  }

  /** Says something to the present subscribers only: not stored, not numbered; rejects while offline. */
  signal(payload: unknown): Promise<void> {
    return this.#client.signal(this.name, payload);
  }

  /** A page of the history, ascending: the newest, or below `before`, or above `after`. */
  history(options?: HistoryOptions): Promise<HistoryPage<Payload>> {
    return this.#client.history(this.name, options) as Promise<HistoryPage<Payload>>;
  }

  /** Who is present. */
  presence(options?: WaitOptions): Promise<PresenceList> {
    return this.#client.presence(this.name, options);
  }

  /**
   * Who is here, in the order of their coming, as far as a subscription with `presence` has told: it follows every
   * coming and going, and is right again after a reconnect. Ask for it anew at `subscribed` and `presence`.
   *
   * @example
   * await chat.subscribe(show, { presence: true });
   * const redraw = () => drawPeople(chat.present);
   * for (const event of ["subscribed", "presence"] as const) chat.on(event, redraw);
   */
  get present(): Present[] {
    return [...this.#client.rosterOf(this.name).present.values()].sort((one, other) => one.since - other.since);
  }

  /**
   * How far others have read, by user id: what was told since the subscription, and what was known before it where that
   * asked for `readers`. It grows with every `receipt`.
   */
  get readers(): ReadonlyMap<string, number> {
    return this.#client.rosterOf(this.name).readers;
  }

  /** How far this user has read, here or elsewhere; 0 before the first time, and without a subscription. */
  get readSeq(): number {
    return this.#client.rosterOf(this.name).readSeq;
  }

  /** Messages of others that this user has not read: of those that came, and of those from before the subscription. */
  get unread(): number {
    return this.#client.rosterOf(this.name).unread;
  }

  /** Says how far this user has read; the others get `receipt`. */
  markRead(seq: number, options?: WaitOptions): Promise<void> {
    return this.#client.markRead(this.name, seq, options);
  }

  /**
   * Listens to an event of this channel, without subscribing to it; returns the undo.
   *
   * @example
   * channel.on("presence", ({ action, user }) => console.log(user.name, action));
   */
  on<Name extends keyof ChannelEvents<Payload>>(name: Name, listener: Listener<ChannelEvents<Payload>[Name]>): Unlisten {
    return this.#client.on(name, (body: { topic: string }) => {
      if (body.topic === this.name) listener(body as ChannelEvents<Payload>[Name]);
    });
  }

  /**
   * The messages from now on, subscribed until the loop is left.
   *
   * @param options - as of a subscription; `signal` ends the stream with the error `aborted`
   *
   * @example
   * for await (const message of channel.messages({ history: 50, signal })) show(message);
   */
  messages({ signal, ...options }: SubscribeOptions = {}): MessageStream<Payload> {
    const abort = () => stream.end(aborted(signal as AbortSignal, this.name));
    const gone = this.on("unsubscribed", ({ topic, code, message }) =>
      stream.end(new RealtimeError(message, { code, topic })),
    );
    const stream = new MessageStream<Payload>(() => {
      gone();
      signal?.removeEventListener("abort", abort);
      subscribed.then(({ unsubscribe }) => unsubscribe()).catch(() => {});
    });
    const subscribed = this.subscribe((message) => stream.push(message), options);
    subscribed.catch((error: RealtimeError) => stream.end(error));
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    return stream;
  }

  [Symbol.asyncIterator](): MessageStream<Payload> {
    return this.messages();
  }
}
