/** Subscriptions that are kept whatever happens to them. */

import { RealtimeClient, type Subscription } from "./client.js";
import type { Unlisten } from "./emitter.js";
import { RealtimeError } from "./error.js";
import type {
  ChannelTypes,
  Message,
  MessageHandler,
  PayloadOf,
  PublishOptions,
  Published,
  RealtimeOptions,
  Subscribed,
  SubscribeOptions,
  TokenProvider,
} from "./types.js";
import { delay } from "./wait.js";

/** Options of a manager: those of its client, and when to look after what the client does not. */
export interface ManagerOptions extends RealtimeOptions {
  /**
   * How long to the next try after a refusal or after the client gave up, ms: a refusal may be taken back at any
   * time. Default 30,000.
   */
  retryMs?: number;
}

/** A handler and what became of its subscription. */
interface Kept {
  readonly topic: string;
  /** As the application gave it. */
  readonly given: MessageHandler<never>;
  /** Of this call alone, so that undoing it takes nobody else's away. */
  readonly handler: MessageHandler;
  readonly options: SubscribeOptions;
  /** Up to where it has had the channel, once that was subscribed. */
  position?: { seq: number; epoch: string } | undefined;
  subscription: Promise<Subscription> | undefined;
}

/** A map that subscribes what is set, and lets go of what is deleted. */
class Handlers extends Map<string, MessageHandler<any>> {
  readonly #put: (channel: string, handler: MessageHandler<any>) => void;
  readonly #drop: (channel: string) => void;

  constructor(put: (channel: string, handler: MessageHandler<any>) => void, drop: (channel: string) => void) {
    super();
    this.#put = put;
    this.#drop = drop;
  }

  override set(channel: string, handler: MessageHandler<any>): this {
    this.#put(channel, handler);
    return this;
  }

  override delete(channel: string): boolean {
    const had = this.has(channel);
    this.#drop(channel);
    return had;
  }

  override clear(): void {
    for (const channel of [...this.keys()]) this.#drop(channel);
  }

  /** What stands here for a channel, without doing anything about it. */
  note(channel: string, handler: MessageHandler<any> | undefined): void {
    if (handler) super.set(channel, handler);
    else super.delete(channel);
  }
}

/**
 * Keeps handlers subscribed: over reconnects as every client does, and also after the client has given up, after the
 * server took a right away and gave it back, after a refusal, and from one login to the next.
 *
 * @typeParam Channels - payload types by channel name or pattern
 *
 * @example
 * const manager = new RealtimeManager("https://realtime.example.com");
 * manager.subscribe("private:board", ({ payload }) => show(payload));
 * await manager.connect(() => fetchToken());
 */
export class RealtimeManager<Channels extends ChannelTypes = Record<never, never>> {
  /** The client underneath. */
  readonly client: RealtimeClient<Channels>;
  /**
   * The channels that have handlers, and of each the newest. Setting one subscribes it in place of the channel's others;
   * deleting one takes them all away.
   */
  readonly subscriptions: Map<string, MessageHandler<any>>;
  readonly #handlers: Handlers;
  readonly #kept = new Set<Kept>();
  readonly #retryMs: number;
  #stop: AbortController | undefined;
  #isConnecting = false;

  /**
   * @param serverUrl - the server's address. Default `http://localhost:5000`
   * @param options - as of a {@link RealtimeClient}, and `retryMs`
   */
  constructor(serverUrl = "http://localhost:5000", { retryMs = 30_000, ...options }: ManagerOptions = {}) {
    this.#retryMs = retryMs;
    this.subscriptions = this.#handlers = new Handlers(
      (channel, handler) => {
        this.unsubscribe(channel);
        this.subscribe(channel, handler);
      },
      (channel) => this.unsubscribe(channel),
    );
    this.client = new RealtimeClient<Channels>(serverUrl, options);
    this.client.on("connected", () => this.#restore());
    this.client.on("subscribed", (subscribed) => this.#note(subscribed));
    this.client.on("unsubscribed", ({ topic }) => this.#dropAll(topic));
    // After a reconnect a subscription may be refused, and nobody waits for the answer.
    this.client.on("error", ({ topic }) => topic !== undefined && this.#dropAll(topic));
    this.client.on("reconnectFailed", () => void this.#comeBack());
  }

  /**
   * Connects, and again after every failure, until `disconnect()`.
   *
   * @returns when a connection is up, whichever attempt it was
   * @throws {@link RealtimeError} `authentication_failed`, `disconnected` where `disconnect()` came first
   */
  async connect(token?: string | TokenProvider): Promise<void> {
    this.#stop?.abort();
    const stop = (this.#stop = new AbortController());
    const look = setInterval(() => this.#restore(), this.#retryMs);
    stop.signal.addEventListener("abort", () => clearInterval(look));
    this.#isConnecting = true;
    try {
      await this.#connect(token, stop.signal);
    } catch (error) {
      stop.abort();
      throw error;
    } finally {
      if (this.#stop === stop) this.#isConnecting = false;
    }
  }

  async #connect(token: string | TokenProvider | undefined, stop: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.client.connect(token);
        return;
      } catch (error) {
        if (!(error instanceof RealtimeError && error.retryable)) throw error;
      }
      await this.#pause(stop);
    }
  }

  /** Closes the connection and stays away. The handlers wait for the next `connect()`. */
  disconnect(): void {
    this.#stop?.abort();
    this.#stop = undefined;
    this.client.disconnect();
  }

  /** Adds a handler; the channel is subscribed to now or as soon as that is possible. Returns the undo. */
  subscribe<Topic extends string>(
    channel: Topic,
    handler: MessageHandler<PayloadOf<Channels, Topic>>,
    options: SubscribeOptions = {},
  ): Unlisten {
    const own = (message: Message) => {
      const { position } = kept;
      if (position && message.seq !== undefined) position.seq = Math.max(position.seq, message.seq);
      return handler(message as Message<PayloadOf<Channels, Topic>>);
    };
    const kept: Kept = { topic: channel, given: handler, handler: own, options, subscription: undefined };
    this.#kept.add(kept);
    this.#handlers.note(channel, handler);
    if (this.client.isConnected()) this.#subscribe(kept);
    return () => this.#forget(kept);
  }

  /** Takes one handler of a channel away, or all of them. */
  unsubscribe(channel: string, handler?: MessageHandler<never>): void {
    for (const kept of this.#kept) {
      if (kept.topic === channel && (!handler || kept.given === handler)) this.#forget(kept);
    }
  }

  /** Publishes; see {@link RealtimeClient.publish}. */
  publish<Topic extends string>(
    channel: Topic,
    payload: PayloadOf<Channels, Topic>,
    options?: PublishOptions,
  ): Promise<Published> {
    return this.client.publish(channel, payload, options);
  }

  /** Subscribes to what is not subscribed; on a connection that is down it does nothing. */
  #restore(): void {
    if (!this.client.isConnected()) return;
    for (const kept of this.#kept) if (!kept.subscription) this.#subscribe(kept);
  }

  #subscribe(kept: Kept): void {
    const { topic, handler, position } = kept;
    const { history, ...options } = kept.options;
    // What it has had does not come again.
    Object.assign(options, position ? { since: { ...position } } : { history });
    const subscription = this.client.subscribe(topic, handler as never, options);
    kept.subscription = subscription;
    subscription.catch(() => {
      // The next look tries again.
      if (kept.subscription === subscription) kept.subscription = undefined;
    });
  }

  #note({ topic, seq, epoch }: Subscribed): void {
    const isNumbered = seq !== undefined && epoch !== undefined;
    for (const kept of this.#kept) if (kept.topic === topic) kept.position = isNumbered ? { seq, epoch } : undefined;
  }

  #forget(kept: Kept): void {
    this.#kept.delete(kept);
    const others = [...this.#kept].filter(({ topic }) => topic === kept.topic);
    this.#handlers.note(kept.topic, others.at(-1)?.given as MessageHandler<any> | undefined);
    this.#drop(kept);
  }

  /** What the server took away, or did not give back; the next look tries again. */
  #dropAll(topic: string): void {
    for (const kept of this.#kept) if (kept.topic === topic) this.#drop(kept);
  }

  #drop(kept: Kept): void {
    if (!kept.subscription) return;
    kept.subscription = undefined;
    this.client.unsubscribe(kept.topic, kept.handler).catch(() => {});
  }

  async #comeBack(): Promise<void> {
    const stop = this.#stop;
    // A `connect()` that is under way has a loop of its own.
    if (!stop || this.#isConnecting) return;
    try {
      await this.#pause(stop.signal);
      await this.client.reconnect();
    } catch {
      // `disconnect()` came.
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    try {
      await delay(this.#retryMs, signal);
    } catch (cause) {
      throw new RealtimeError("`disconnect()` was called before the connection was up", { code: "disconnected", cause });
    }
  }
}
