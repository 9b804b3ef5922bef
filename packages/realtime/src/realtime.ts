/** One connection for a whole application. */

import { MessageEventHandler, type ActionHandler } from "./action.js";
import { RealtimeClient, type Subscription } from "./client.js";
import { call, type Listener, type Unlisten } from "./emitter.js";
import { RealtimeError } from "./error.js";
import { canAccessChannel, canPublishToChannel } from "./permission.js";
import type {
  ChannelTypes,
  Connected,
  ConnectionState,
  Events,
  Message,
  MessageHandler,
  PublishOptions,
  Published,
  RealtimeOptions,
  Status,
  SubscribeOptions,
  Subscribed,
} from "./types.js";

/** Options of the shared connection: those of a client, and where it goes. */
export interface SharedOptions extends RealtimeOptions {
  /** The server's address. Default: the page's own server. */
  url?: string;
}

/** The shared connection changed, or something failed on it. */
export interface ConnectionNotice extends ConnectionState {
  /** What failed: a subscription that was refused, an answer that says so. */
  failure?: RealtimeError;
}

/** A subscription of the shared connection. */
export interface SharedSubscription {
  /** Settles as {@link RealtimeClient.subscribe} does. Nobody needs to look at it. */
  readonly ready: Promise<Subscribed>;
  /** Takes the handler away; with the last one of its channel, the subscription. */
  unsubscribe(): void;
}

/** Numbers of the shared connection. */
export interface SharedStats {
  status: Status;
  /** Handlers that are subscribed. */
  subscriptions: number;
  /** Messages waiting for their ack. */
  queueSize: number;
  /** Connections after the first. */
  reconnectCount: number;
}

/** A call of `subscribe()` that has not been undone. */
interface Wanted {
  readonly topic: string;
  /** Of this call alone, so that undoing it takes nobody else's away. */
  readonly handler: MessageHandler;
  readonly options: SubscribeOptions;
  readonly resolve: (subscribed: Subscribed) => void;
  readonly reject: (error: RealtimeError) => void;
  subscription?: Promise<Subscription>;
  /** Whether the server has had it. */
  isLive?: boolean;
}

/** What is behind {@link Realtime}. */
class Shared {
  client: RealtimeClient<ChannelTypes> | undefined;
  readonly wanted = new Set<Wanted>();
  readonly listeners = new Set<Listener<ConnectionNotice>>();
  /** What the client has just told as `error`. */
  refused: RealtimeError | undefined;
  readonly actions = new MessageEventHandler((error) => this.tell(error));

  subscribe(client: RealtimeClient<ChannelTypes>, wanted: Wanted): void {
    wanted.isLive = false;
    const subscription = client.subscribe(wanted.topic, wanted.handler, wanted.options);
    wanted.subscription = subscription;
    const ready = (subscribed: Subscribed) => {
      wanted.isLive = true;
      wanted.resolve(subscribed);
    };
    subscription.then(ready, (error: RealtimeError) => {
      // One that was undone, or whose connection has been replaced, says nothing any more.
      if (wanted.subscription !== subscription || !this.wanted.delete(wanted)) return;
      wanted.reject(error);
      // What the server refuses is the client's event `error` already; these are found before anything is sent.
      if (error.code === "invalid_message" || error.code === "connect_error") this.tell(error);
    });
  }

  /** The server has a channel's subscription. */
  confirm(topic: string): void {
    for (const wanted of this.wanted) if (wanted.topic === topic) wanted.isLive = true;
    if (this.refused?.topic === topic) this.refused = undefined;
  }

  /** It has it no more, and the client has let the handlers go. */
  end({ topic, code, message }: Events["unsubscribed"]): void {
    for (const wanted of this.wanted) if (wanted.topic === topic && wanted.isLive) this.wanted.delete(wanted);
    // What was refused after a reconnect has been told as the client's event `error`.
    const known = this.refused?.topic === topic && this.refused.message === message;
    this.refused = undefined;
    if (!known) this.tell(new RealtimeError(message, { code, topic }));
  }

  fail(error: RealtimeError): void {
    this.refused = error;
    this.tell(error);
  }

  tell(failure?: RealtimeError): void {
    const state = this.client?.getState() ?? { status: "disconnected", reconnectAttempts: 0 };
    const notice: ConnectionNotice = failure ? { ...state, failure } : state;
    for (const listener of [...this.listeners]) call(() => listener(notice));
  }
}

let made: Shared | undefined;

/** Made when it is first used, so that whoever imports something else of this package need not carry it. */
function shared(): Shared {
  return (made ??= new Shared());
}

/**
 * The connection that all parts of an application share: set up once, used from anywhere without passing it on.
 * It is a {@link RealtimeClient} underneath, which {@link Realtime.client} gives.
 *
 * @example
 * await Realtime.connect({ url: "https://realtime.example.com", auth: () => fetchToken() });
 * const subscription = Realtime.subscribe("public:chat", (message) => show(message.payload));
 * await Realtime.publish("public:chat", { text: "hello" });
 * subscription.unsubscribe();
 */
export class Realtime {
  private constructor() {}

  /**
   * Says where the connection goes and how, without connecting. Called again, it takes the place of the one before:
   * that is closed, and the subscriptions move over.
   */
  static init({ url = "", ...options }: SharedOptions = {}): void {
    shared().client?.disconnect();
    const client = new RealtimeClient<ChannelTypes>(url, options);
    shared().client = client;
    client.on("stateChange", () => shared().tell());
    client.on("error", (error) => shared().fail(error));
    client.on("subscribed", ({ topic }) => shared().confirm(topic));
    client.on("unsubscribed", (over) => shared().end(over));
    client.on("message", ({ payload }) => void shared().actions.handleMessage(payload));
    for (const wanted of shared().wanted) shared().subscribe(client, wanted);
  }

  /**
   * Connects, and stays connected until `disconnect()`.
   *
   * @param options - as of {@link Realtime.init}, which they stand for; needed once
   * @throws {@link RealtimeError} as {@link RealtimeClient.connect}; `invalid_operation` without any options yet
   */
  static async connect(options?: SharedOptions): Promise<Connected> {
    if (options) Realtime.init(options);
    return Realtime.client.connect();
  }

  /** Closes the connection and stays away. Subscriptions and what is queued wait for the next `connect()`. */
  static disconnect(): void {
    shared().client?.disconnect();
  }

  /** The client underneath. @throws {@link RealtimeError} `invalid_operation` before `init()` or `connect(options)` */
  static get client(): RealtimeClient<ChannelTypes> {
    const { client } = shared();
    if (client) return client;
    const text = "The shared connection goes nowhere yet: call `Realtime.init({ url })` or `Realtime.connect({ url })` first";
    throw new RealtimeError(text, { code: "invalid_operation" });
  }

  /**
   * Subscribes to a channel; before `init()` and while offline, as soon as there is a connection. A refusal is told
   * by `ready` and to the listeners of {@link Realtime.onConnection}, which hear too when the server ends it later.
   *
   * @typeParam Payload - what travels on the channel
   */
  static subscribe<Payload = unknown>(
    topic: string,
    handler: MessageHandler<Payload>,
    options: SubscribeOptions = {},
  ): SharedSubscription {
    const own = (message: Message) => handler(message as Message<Payload>);
    let wanted!: Wanted;
    const ready = new Promise<Subscribed>((resolve, reject) => {
      wanted = { topic, handler: own, options, resolve, reject };
    });
    // Whoever does not look at it is told by `onConnection`.
    ready.catch(() => {});
    const { client } = shared();
    shared().wanted.add(wanted);
    if (client) shared().subscribe(client, wanted);
    const unsubscribe = () => {
      if (!shared().wanted.delete(wanted)) return;
      wanted.reject(new RealtimeError("`unsubscribe()` was called", { code: "cancelled", topic }));
      shared().client?.unsubscribe(topic, own).catch((error: RealtimeError) => shared().tell(error));
    };
    return { ready, unsubscribe };
  }

  /**
   * Publishes; see {@link RealtimeClient.publish}.
   *
   * @returns when the server stored it; while offline, that is after the next connect
   */
  static async publish(topic: string, payload: unknown, options?: PublishOptions): Promise<Published> {
    return Realtime.client.publish(topic, payload, options);
  }

  /** Handles every message whose payload is an action envelope of this action; returns the undo. */
  static registerHandler<Data = unknown>(action: string, handler: ActionHandler<Data>): Unlisten {
    return shared().actions.registerHandler(action, handler);
  }

  /** Listens to the connection: every change of its state, and every failure. Returns the undo. */
  static onConnection(listener: Listener<ConnectionNotice>): Unlisten {
    shared().listeners.add(listener);
    return () => void shared().listeners.delete(listener);
  }

  /** The numbers of now. */
  static getStats(): SharedStats {
    const { status = "disconnected", queueSize = 0, reconnectCount = 0 } = shared().client?.getStats() ?? {};
    return { status, subscriptions: shared().wanted.size, queueSize, reconnectCount };
  }

  /** Whether a user may read a channel, as far as can be told here; see {@link canAccessChannel}. */
  static canAccessChannel(channel: string, role: string, userId: string, permissions?: readonly string[]): boolean {
    return canAccessChannel(channel, role, userId, permissions);
  }

  /** Whether a user may write to a channel, as far as can be told here; see {@link canPublishToChannel}. */
  static canPublishToChannel(channel: string, role: string, userId: string, permissions?: readonly string[]): boolean {
    return canPublishToChannel(channel, role, userId, permissions);
  }
}

/**
 * Handles every message of the shared connection whose payload is an action envelope of this action (see
 * {@link createMessage}). What a handler throws is told to {@link Realtime.onConnection}, and stops no other.
 *
 * @returns the undo
 *
 * @example
 * registerHandler("system_notification", ({ data }) => showNotification(data));
 */
export function registerHandler<Data = unknown>(action: string, handler: ActionHandler<Data>): Unlisten {
  return Realtime.registerHandler(action, handler);
}
