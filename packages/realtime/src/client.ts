/** The connection to one server: what an application holds. */

import { keepEarly } from "./early.js";
import { call, Emitter, type AnyListener, type Listener, type Unlisten } from "./emitter.js";
import { aborted, RealtimeError } from "./error.js";
import { generateMessageId } from "./message-id.js";
import type {
  Ack,
  ChannelTypes,
  Connected,
  ConnectionState,
  Events,
  HistoryOptions,
  HistoryPage,
  Message,
  PayloadOf,
  PresenceList,
  PublishOptions,
  Published,
  QueueLoss,
  RealtimeOptions,
  Stats,
  Status,
  SubscribeOptions,
  Subscribed,
  TokenProvider,
  WaitOptions,
} from "./types.js";
import { webSocketClass } from "./web-socket.js";

type Engine = InstanceType<typeof import("../wasm/bmt_client_js.js").Client>;
type Handler<Payload> = (message: Message<Payload>) => void;

/** A subscription as its maker holds it: the server's reply and the way back. */
export interface Subscription extends Subscribed {
  /** Takes this handler away; with the last one of its channel, the subscription. */
  unsubscribe(): Promise<void>;
}

/** Settles one publish. */
interface Waiting {
  resolve(published: Published): void;
  reject(error: RealtimeError): void;
}

const OFFLINE: ConnectionState = { status: "disconnected", reconnectAttempts: 0 };
const NOTHING_YET: Stats = {
  status: "disconnected",
  subscriptions: 0,
  queueSize: 0,
  reconnectCount: 0,
  messagesReceived: 0,
  messagesPublished: 0,
  duplicatesDropped: 0,
  recoveries: 0,
  gaps: 0,
  framesReceived: 0,
  framesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
};

/**
 * A client of one server. Making one does nothing yet; `connect()` does.
 *
 * @typeParam Channels - payload types by channel name or pattern, such as
 *   `{ "public:chat": { text: string }; "user:*": Note }`.
 *
 * @example
 * const client = new RealtimeClient("https://realtime.example.com", { auth: () => fetchToken() });
 * await client.connect();
 * await client.subscribe("public:chat", (message) => show(message.payload));
 * await client.publish("public:chat", { text: "hello" });
 */
export class RealtimeClient<Channels extends ChannelTypes = Record<never, never>> {
  readonly #url: string;
  readonly #options: RealtimeOptions;
  readonly #events = new Emitter<Events>();
  readonly #outgoing = new Set<AnyListener>();
  readonly #handlers = new Map<string, Set<Handler<never>>>();
  readonly #publishes = new Map<string, Waiting[]>();
  #engine: Engine | undefined;
  #starting: Promise<Engine> | undefined;
  #connection: Connected | undefined;
  /** Counts `connect()` and `disconnect()`: one that came while the engine was loaded makes the other void. */
  #wish = 0;

  /**
   * @param serverUrl - the server's address, such as `https://realtime.example.com`
   */
  constructor(serverUrl: string, options: RealtimeOptions = {}) {
    this.#url = serverUrl;
    this.#options = options;
  }

  /**
   * Connects, and stays connected until `disconnect()`.
   *
   * @param token - takes the place of `options.auth`
   * @returns when the first connection is up
   * @throws {@link RealtimeError} `authentication_failed` for a refused token, `connect_error` where the reconnect
   *   policy has no further attempt, `disconnected` where `disconnect()` came first
   */
  async connect(token?: string | TokenProvider): Promise<void> {
    const wish = ++this.#wish;
    const engine = await this.#start();
    if (wish !== this.#wish) throw disconnected();
    await new Promise<void>((resolve, reject) => {
      if (this.isConnected()) {
        // The connection goes on; the next one asks the new source.
        engine.connect(token);
        return resolve();
      }
      const undo = this.#events.on("stateChange", ({ to, reason }) => {
        if (to === "connected") resolve();
        else if (to === "failed") reject(this.#failure(reason));
        else if (to === "disconnected") reject(disconnected());
        else return;
        undo();
      });
      try {
        engine.connect(token);
      } catch (error) {
        undo();
        reject(RealtimeError.from(error));
      }
    });
  }

  /** Closes the connection and stays away. What is queued stays queued. */
  disconnect(): void {
    this.#wish++;
    this.#engine?.disconnect();
  }

  /** Tries again at once: after the policy gave up, or instead of waiting for the next attempt. */
  async reconnect(): Promise<void> {
    const wish = ++this.#wish;
    const engine = await this.#start();
    if (wish !== this.#wish) return;
    if (this.getState().status === "reconnecting") engine.retryNow();
    else engine.connect();
  }

  /**
   * Subscribes to a channel, over every reconnect, until `unsubscribe`.
   *
   * @param handler - takes every message of the channel, in order, each once
   * @returns when the server has the subscription; while offline, that is after the next connect
   * @throws {@link RealtimeError} `permission_denied`, `channel_not_found`, `invalid_message`, `subscribe_failed`
   */
  async subscribe<Topic extends string>(
    topic: Topic,
    handler?: Handler<PayloadOf<Channels, Topic>>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    const { signal, ...wanted } = options;
    if (handler) this.#handle(topic, handler);
    try {
      const engine = await this.#start();
      const subscribed = (await this.#wait(engine.subscribe(topic, wanted), signal, topic)) as Subscribed;
      return { ...subscribed, unsubscribe: () => this.unsubscribe(topic, handler) };
    } catch (error) {
      if (handler) this.#handlers.get(topic)?.delete(handler);
      throw RealtimeError.from(error);
    }
  }

  /** Subscribes to many channels with one handler; each settles for itself. */
  subscribeMultiple<Topic extends string>(
    topics: readonly Topic[],
    handler?: Handler<PayloadOf<Channels, Topic>>,
    options: SubscribeOptions = {},
  ): Promise<PromiseSettledResult<Subscription>[]> {
    return Promise.allSettled(topics.map((topic) => this.subscribe(topic, handler as Handler<unknown>, options)));
  }

  /** Takes one handler away, or the whole subscription where none is named or none is left. */
  async unsubscribe(topic: string, handler?: Handler<never>): Promise<void> {
    const handlers = this.#handlers.get(topic);
    if (handler && handlers) {
      handlers.delete(handler);
      if (handlers.size > 0) return;
    }
    this.#handlers.delete(topic);
    const engine = await this.#start();
    await this.#wait(engine.unsubscribe(topic), undefined, topic);
  }

  /**
   * Publishes. The message is queued, and kept in storage where there is one, before anything is sent: it
   * survives reconnects, reloads and restarts of the server, and is published exactly once.
   *
   * @returns when the server stored it
   * @throws {@link RealtimeError} what the server refused it with, `message_too_large` at once, or
   *   `queue_expired`, `queue_overflow`; `aborted` ends the wait and not the message
   */
  async publish<Topic extends string>(
    topic: Topic,
    payload: PayloadOf<Channels, Topic>,
    options: PublishOptions = {},
  ): Promise<Published> {
    const { signal, messageId = generateMessageId(), ...wanted } = options;
    if (!this.#engine) keepEarly(this.#url, this.#options, topic, payload, messageId, wanted);
    // Without a wait where there is none to wait for: the message is kept when this call returns its promise.
    const engine = this.#engine ?? (await this.#start());
    this.#announce("publish", { topic, payload, messageId, ...wanted });
    guard(() => engine.publish(topic, payload, { messageId, ...wanted }));
    const settled = new Promise<Published>((resolve, reject) => {
      const others = this.#publishes.get(messageId) ?? [];
      this.#publishes.set(messageId, [...others, { resolve, reject }]);
    });
    return this.#wait(settled, signal, topic);
  }

  /** Says something to the present subscribers only: not stored, not numbered; rejects while offline. */
  async signal<Topic extends string>(topic: Topic, payload: PayloadOf<Channels, Topic>): Promise<void> {
    const engine = await this.#start();
    this.#announce("signal", { topic, payload });
    guard(() => engine.signal(topic, payload));
  }

  /** A page of a channel's history, ascending: the newest, or below `before`, or above `after`. */
  async history<Topic extends string>(
    topic: Topic,
    options: HistoryOptions = {},
  ): Promise<HistoryPage<PayloadOf<Channels, Topic>>> {
    const { signal, ...wanted } = options;
    const engine = await this.#start();
    const page = await this.#wait(guard(() => engine.history(topic, wanted)), signal, topic);
    return page as HistoryPage<PayloadOf<Channels, Topic>>;
  }

  /** Who is present on a channel. */
  async presence(topic: string, { signal }: WaitOptions = {}): Promise<PresenceList> {
    const engine = await this.#start();
    return (await this.#wait(guard(() => engine.presence(topic)), signal, topic)) as PresenceList;
  }

  /** Says how far this user has read a channel; the others get `receipt`. */
  async markRead(topic: string, seq: number, { signal }: WaitOptions = {}): Promise<void> {
    const engine = await this.#start();
    await this.#wait(guard(() => engine.read(topic, seq)), signal, topic);
  }

  /** Listens to an event; returns the undo. What a listener throws is reported and stops nobody else. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): Unlisten {
    return this.#events.on(name, listener);
  }

  /** Listens to the next event of this name only. */
  once<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): Unlisten {
    return this.#events.once(name, listener);
  }

  /** Stops listening: one listener, all of an event, or all. */
  off<Name extends keyof Events>(name?: Name, listener?: Listener<Events[Name]>): void {
    this.#events.off(name, listener);
  }

  /** Listens to every event. */
  onAny(listener: AnyListener): Unlisten {
    return this.#events.onAny(listener);
  }

  /** Sees everything that is published and signalled, as it is handed over. */
  onAnyOutgoing(listener: AnyListener): Unlisten {
    this.#outgoing.add(listener);
    return () => void this.#outgoing.delete(listener);
  }

  /** Whether a connection is up. */
  get connected(): boolean {
    return this.isConnected();
  }

  /** The server's name for the present connection. */
  get connectionId(): string | undefined {
    return this.isConnected() ? this.#connection?.connectionId : undefined;
  }

  /** Where the link stands. */
  get state(): Status {
    return this.getState().status;
  }

  /** The link's state in full. */
  getState(): ConnectionState {
    return this.#engine ? (this.#engine.state() as ConnectionState) : OFFLINE;
  }

  /** Counts since the client was made. */
  getStats(): Stats {
    return this.#engine ? (this.#engine.stats() as Stats) : { ...NOTHING_YET };
  }

  /** Whether a connection is up. */
  isConnected(): boolean {
    return this.getState().status === "connected";
  }

  #start(): Promise<Engine> {
    this.#starting ??= this.#load().catch((error: unknown) => {
      this.#starting = undefined;
      throw RealtimeError.from(error);
    });
    return this.#starting;
  }

  async #load(): Promise<Engine> {
    checkAddress(this.#url);
    const [{ engine }, webSocket] = await Promise.all([import("./engine.js"), webSocketClass(this.#options.webSocket)]);
    const Client = await engine();
    this.#engine = new Client(this.#url, { ...this.#options, webSocket }, (name, body) => this.#take(name, body));
    return this.#engine;
  }

  /** Takes an event of the engine. */
  #take(name: string, body: unknown): void {
    switch (name) {
      case "message":
        return this.#deliver(body as Message);
      case "connected":
        this.#connection = body as Connected;
        break;
      case "ack": {
        const ack = body as Ack;
        for (const { resolve } of this.#settle(ack.clientMessageId)) resolve(ack);
        break;
      }
      case "queueOverflow":
      case "queueExpired":
      case "queueRejected":
        return this.#lose(name, body as QueueLoss);
      case "error":
        return this.#events.emit("error", RealtimeError.from(body));
    }
    this.#events.emit(name as keyof Events, body as never);
  }

  #deliver(message: Message): void {
    this.#events.emit("message", message);
    for (const handler of [...(this.#handlers.get(message.topic) ?? [])] as Handler<unknown>[]) {
      call(() => handler(message));
    }
  }

  #lose(name: "queueOverflow" | "queueExpired" | "queueRejected", body: QueueLoss): void {
    const { error, ...loss } = body;
    const refusal = error && RealtimeError.from({ topic: loss.topic, ...error, message: error.message });
    for (const { reject } of this.#settle(loss.messageId)) reject(refusal ?? lost(name, loss.topic));
    this.#events.emit(name, refusal ? { ...loss, error: refusal } : loss);
  }

  /** Those who wait for a publish; one id may have been published twice. */
  #settle(messageId: string): Waiting[] {
    const waiting = this.#publishes.get(messageId) ?? [];
    this.#publishes.delete(messageId);
    return waiting;
  }

  #handle(topic: string, handler: Handler<never>): void {
    let handlers = this.#handlers.get(topic);
    if (!handlers) this.#handlers.set(topic, (handlers = new Set()));
    handlers.add(handler);
  }

  #announce(name: string, body: unknown): void {
    for (const listener of [...this.#outgoing]) call(() => listener(name, body));
  }

  #failure(reason: string | undefined): RealtimeError {
    const text = reason ?? "The connection could not be made";
    const code = text.startsWith("Authentication failed") ? "authentication_failed" : "connect_error";
    return new RealtimeError(text, { code, retryable: code === "connect_error" });
  }

  async #wait<Value>(value: Promise<Value>, signal?: AbortSignal, topic?: string): Promise<Value> {
    try {
      return await (signal ? unless(signal, value, topic) : value);
    } catch (error) {
      throw RealtimeError.from(error);
    }
  }
}

/** `value`, unless `signal` comes first. */
function unless<Value>(signal: AbortSignal, value: Promise<Value>, topic?: string): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted(signal, topic));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    value.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Refuses what no attempt can ever reach. */
function checkAddress(url: string): void {
  try {
    // A page's own server may be named by a path alone.
    const { protocol } = new URL(url, globalThis.location?.href);
    if (/^(http|ws)s?:$/.test(protocol)) return;
  } catch {
    // Said below.
  }
  const text = `${JSON.stringify(url)} is no address of a server; one looks like "https://realtime.example.com"`;
  throw new RealtimeError(text, { code: "connect_error" });
}

function guard<Value>(run: () => Value): Value {
  try {
    return run();
  } catch (error) {
    throw RealtimeError.from(error);
  }
}

function disconnected(): RealtimeError {
  return new RealtimeError("`disconnect()` was called before the connection was up", { code: "disconnected" });
}

function lost(name: "queueOverflow" | "queueExpired" | "queueRejected", topic: string): RealtimeError {
  switch (name) {
    case "queueOverflow":
      return new RealtimeError("The queue was full and this message its oldest", { code: "queue_overflow", topic });
    case "queueExpired":
      return new RealtimeError("The message waited longer than the queue keeps one", { code: "queue_expired", topic });
    case "queueRejected":
      return new RealtimeError("The server refused the message", { code: "rejected", topic });
  }
}
