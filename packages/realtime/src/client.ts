/** The connection to one server: what an application holds. */

import { MessageEventHandler, type ActionHandler } from "./action.js";
import { takeBinary } from "./binary.js";
import type { Channel } from "./channel.js";
import { Channels } from "./channels.js";
import { keepEarly } from "./early.js";
import { openEarly, type EarlySocket } from "./early-socket.js";
import { Emitter, call, type AnyListener, type Listener, type Unlisten } from "./emitter.js";
import { RealtimeError } from "./error.js";
import { Holds, type Hold } from "./holds.js";
import { generateMessageId } from "./message-id.js";
import { engineOptions } from "./options.js";
import { Publishes } from "./publishes.js";
import { Rosters, type Roster } from "./roster.js";
import { trace } from "./trace.js";
import type {
  Ack,
  ChannelTypes,
  Connected,
  ConnectionState,
  Events,
  HistoryOptions,
  HistoryPage,
  Message,
  MessageHandler,
  PayloadOf,
  PresenceList,
  PublishOptions,
  Published,
  QueueLoss,
  ReadTo,
  RealtimeOptions,
  Stats,
  Status,
  SubscribeOptions,
  Subscribed,
  TokenProvider,
  User,
  WaitOptions,
} from "./types.js";
import { guard, settled } from "./wait.js";
import { webSocketClass } from "./web-socket.js";

type Engine = InstanceType<typeof import("../wasm/bmt_client_js.js").Client>;

/** A subscription as its maker holds it: the server's reply and the way back. */
export interface Subscription extends Subscribed {
  /** Undoes this one call of `subscribe()`; with the last one of its channel, the subscription ends. */
  unsubscribe(): Promise<void>;
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
  /** The server's address, as it was given. */
  readonly serverUrl: string;
  readonly #options: RealtimeOptions;
  readonly #events = new Emitter<Events>();
  /** Those of this class: `off()` is the application's. */
  readonly #inner = new Emitter<Events>();
  readonly #outgoing = new Set<AnyListener>();
  readonly #holds = new Holds();
  readonly #publishes = new Publishes();
  readonly #rosters = new Rosters();
  readonly #channels = new Channels();
  #actions: MessageEventHandler | undefined;
  #engine: Engine | undefined;
  #starting: Promise<Engine> | undefined;
  #early: EarlySocket | undefined;
  /**
   * The engine holds this, and it holds the client while that is connected or wants to be: such a one lives though the
   * application does not hold it. Others go as every object does.
   */
  readonly #awake: { client?: RealtimeClient<Channels> } = {};
  #connection: Connected | undefined;
  /** Who is asked for tokens. The engine holds it weakly: it may be a closure over this client. */
  #provider: TokenProvider | undefined;
  /** Counts `connect()` and `disconnect()`: one that came while the engine was loaded makes the other void. */
  #wish = 0;

  /**
   * @param serverUrl - the server's address, such as `https://realtime.example.com`; in a page, a path such as `/` or
   *   `/base` names the page's own server
   * @throws {@link RealtimeError} `invalid_operation` for `shared` on the raw endpoint, whose connections are not shared
   */
  constructor(serverUrl: string, options: RealtimeOptions = {}) {
    if (options.shared && options.protocol === "raw") {
      throw new RealtimeError("A raw connection is not shared by tabs: leave out `shared`, or `protocol: \"raw\"`", {
        code: "invalid_operation",
      });
    }
    this.serverUrl = serverUrl;
    this.#options = options;
    if (options.console) trace(this, options.console);
  }

  /**
   * Connects, and stays connected until `disconnect()`.
   *
   * @param token - takes the place of `options.auth`
   * @returns when the first connection is up, with the server's first word
   * @throws {@link RealtimeError} `authentication_failed` for a refused token, `connect_error` where the reconnect
   *   policy has no further attempt, `disconnected` where `disconnect()` came first
   */
  async connect(token?: string | TokenProvider): Promise<Connected> {
    const wish = ++this.#wish;
    // Not for who takes it back at once, as a component does that React mounts twice.
    queueMicrotask(() => {
      if (wish === this.#wish && !this.#engine) this.#early ??= openEarly(this.serverUrl, this.#options);
    });
    const engine = await this.#start();
    if (wish !== this.#wish) throw disconnected();
    await new Promise<void>((resolve, reject) => {
      if (this.isConnected()) {
        // The connection goes on; the next one asks the new source.
        engine.connect(this.#source(token));
        return resolve();
      }
      const undo = this.#inner.on("stateChange", ({ to, reason }) => {
        if (to === "connected") resolve();
        else if (to === "failed") reject(this.#failure(reason));
        else if (to === "disconnected") reject(disconnected());
        else return;
        undo();
      });
      try {
        engine.connect(this.#source(token));
      } catch (error) {
        undo();
        reject(RealtimeError.from(error));
      }
    }).finally(() => this.#early?.close());
    return this.#connection as Connected;
  }

  /**
   * Closes the connection and stays away. What is queued stays queued, and subscriptions come back with `connect()`.
   *
   * @example
   * window.addEventListener("logout", () => client.disconnect());
   */
  disconnect(): void {
    this.#wish++;
    this.#early?.close();
    this.#engine?.disconnect();
  }

  /**
   * Tries again at once: after the policy gave up, or instead of waiting for the next attempt.
   *
   * @returns when the attempt has begun; the event `connected` tells of its success
   *
   * @example
   * button.onclick = () => client.reconnect();
   */
  async reconnect(): Promise<void> {
    const wish = ++this.#wish;
    const engine = await this.#start();
    if (wish !== this.#wish) return;
    if (this.getState().status === "reconnecting") engine.retryNow();
    else engine.connect();
  }

  /**
   * Subscribes to a channel, over every reconnect, until every call is undone or the server ends the subscription: it
   * took the right away, or refused it after a reconnect. Then the event `unsubscribed` comes, the handlers of the
   * channel are let go, and whoever still wants it subscribes anew. A channel may be subscribed to many times; a handler
   * that is given twice is called once.
   *
   * @param handler - takes every message of the channel, in order, each once
   * @returns when the server has the subscription; while offline, that is after the next connect
   * @throws {@link RealtimeError} `permission_denied`, `channel_not_found`, `invalid_message`, `subscribe_failed`
   *
   * @example
   * const { unsubscribe } = await client.subscribe("public:chat", ({ payload }) => show(payload), { history: 50 });
   */
  async subscribe<Topic extends string>(
    topic: Topic,
    handler?: MessageHandler<PayloadOf<Channels, Topic>>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    const { signal, ...wanted } = options;
    const hold: Hold = { handler, presence: wanted.presence ?? false, readers: wanted.readers ?? false };
    this.#holds.add(topic, hold);
    try {
      const engine = this.#engine ?? (await this.#start());
      // One subscription serves all who hold the channel.
      const request = { ...wanted, ...this.#holds.wants(topic) };
      this.#announce("subscribe", { topic, ...request });
      const subscribed = (await settled(guard(() => engine.subscribe(topic, request)), signal, topic)) as Subscribed;
      // Servers of the first protocol version say no `subscribed` before.
      hold.isLive = true;
      const unsubscribe = async () => {
        if (this.#holds.drop(topic, hold)) await this.#leave(topic);
      };
      return { ...subscribed, unsubscribe };
    } catch (error) {
      const isLast = this.#holds.drop(topic, hold);
      const failure = RealtimeError.from(error);
      if (isLast && failure.code === "aborted") void this.#leave(topic).catch(() => {});
      throw failure;
    }
  }

  /**
   * Subscribes to many channels with one handler.
   *
   * @returns when all are settled, each for itself; one refusal does not stop the rest
   *
   * @example
   * const results = await client.subscribeMultiple(["public:a", "public:b"], show);
   * const refused = results.filter(({ status }) => status === "rejected");
   */
  subscribeMultiple<Topic extends string>(
    topics: readonly Topic[],
    handler?: MessageHandler<PayloadOf<Channels, Topic>>,
    options: SubscribeOptions = {},
  ): Promise<PromiseSettledResult<Subscription>[]> {
    return Promise.allSettled(topics.map((topic) => this.subscribe(topic, handler as MessageHandler<unknown>, options)));
  }

  /**
   * Takes one handler away, or the whole subscription where none is named or none is left.
   *
   * @returns when the server has heard it; a channel that is not subscribed is no error
   *
   * @example
   * await client.unsubscribe("public:chat", show);
   */
  async unsubscribe(topic: string, handler?: MessageHandler<never>): Promise<void> {
    if (this.#holds.dropHandler(topic, handler)) await this.#leave(topic);
  }

  /**
   * A channel by name: the same object each time, while somebody holds it. Asking for it subscribes to nothing.
   *
   * @example
   * for await (const { payload } of client.channel("public:chat")) show(payload);
   */
  channel<Topic extends string>(topic: Topic): Channel<PayloadOf<Channels, Topic>> {
    return this.#channels.of(this as unknown as RealtimeClient<ChannelTypes>, topic) as Channel<PayloadOf<Channels, Topic>>;
  }

  /**
   * Publishes. The message is queued, and kept in storage where there is one, when this returns its promise: it
   * survives reconnects, reloads and restarts of the server, and is published exactly once. An `ArrayBuffer` or a view
   * of one, anywhere in the payload, travels as binary and arrives as an `ArrayBuffer`; ten at most.
   *
   * @returns when the server stored it
   * @throws {@link RealtimeError} what the server refused it with, `message_too_large` at once, or
   *   `queue_expired`, `queue_overflow`; `aborted` ends the wait and not the message
   *
   * @example
   * const { seq } = await client.publish("public:chat", { text: "hello" }, { priority: "high" });
   */
  async publish<Topic extends string>(
    topic: Topic,
    payload: PayloadOf<Channels, Topic>,
    options: PublishOptions = {},
  ): Promise<Published> {
    const { signal, messageId = generateMessageId(), ...wanted } = options;
    const [json, parts] = this.#takeBinary(payload, topic);
    // Binary parts are kept by the engine alone: for a moment they live in memory.
    if (!this.#engine && !parts) keepEarly(this.serverUrl, this.#options, topic, payload, messageId, wanted);
    // As everywhere, without a wait where there is none to wait for: requests leave in the order of their calls, and
    // the message is kept when this call returns its promise.
    const engine = this.#engine ?? (await this.#start());
    this.#announce("publish", { topic, payload, messageId, ...wanted });
    guard(() => engine.publish(topic, json, { messageId, ...wanted, parts }));
    return settled(this.#publishes.wait(messageId), signal, topic);
  }

  /**
   * Says something to the present subscribers only: not stored, not numbered, not to this connection.
   *
   * @returns when it is handed over; nothing is answered
   * @throws {@link RealtimeError} `not_connected`, `invalid_message`
   *
   * @example
   * await client.signal("public:chat", { typing: true });
   */
  async signal<Topic extends string>(topic: Topic, payload: PayloadOf<Channels, Topic>): Promise<void> {
    const [json, parts] = this.#takeBinary(payload, topic);
    const engine = this.#engine ?? (await this.#start());
    this.#announce("signal", { topic, payload });
    guard(() => engine.signal(topic, json, { parts }));
  }

  /**
   * A page of a channel's history, ascending: the newest, or below `before`, or above `after`.
   *
   * @throws {@link RealtimeError} `permission_denied`, `channel_not_found`, `not_connected`, `timeout`, `aborted`
   *
   * @example
   * const { messages, hasMore } = await client.history("public:chat", { before: oldest.seq, limit: 50 });
   */
  async history<Topic extends string>(
    topic: Topic,
    options: HistoryOptions = {},
  ): Promise<HistoryPage<PayloadOf<Channels, Topic>>> {
    const { signal, ...wanted } = options;
    const engine = this.#engine ?? (await this.#start());
    this.#announce("history", { topic, ...wanted });
    const page = await settled(guard(() => engine.history(topic, wanted)), signal, topic);
    return page as HistoryPage<PayloadOf<Channels, Topic>>;
  }

  /**
   * Who is present on a channel.
   *
   * @throws {@link RealtimeError} `permission_denied`, `not_connected`, `timeout`, `aborted`
   *
   * @example
   * const { users, count } = await client.presence("public:chat");
   */
  async presence(topic: string, { signal }: WaitOptions = {}): Promise<PresenceList> {
    const engine = this.#engine ?? (await this.#start());
    this.#announce("presence", { topic });
    return (await settled(guard(() => engine.presence(topic)), signal, topic)) as PresenceList;
  }

  /**
   * Says how far this user has read a channel; the others get `receipt`. Going back is no error and does nothing.
   *
   * @throws {@link RealtimeError} `permission_denied`, `invalid_message`, `not_connected`, `timeout`, `aborted`
   *
   * @example
   * await client.markRead("public:chat", message.seq);
   */
  async markRead(topic: string, seq: number, { signal }: WaitOptions = {}): Promise<void> {
    const engine = this.#engine ?? (await this.#start());
    this.#announce("read", { topic, seq });
    const to = await settled(guard(() => engine.read(topic, seq)), signal, topic);
    // Servers of the first protocol version tell nothing.
    if (to) this.#rosters.of(topic).kept(to as ReadTo);
  }

  /**
   * Listens to an event; returns the undo. What a listener throws is reported and stops nobody else.
   *
   * @example
   * const undo = client.on("stateChange", ({ to }) => setStatus(to));
   */
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

  /**
   * Listens to every event; returns the undo.
   *
   * @example
   * client.onAny((name, body) => console.debug(name, body));
   */
  onAny(listener: AnyListener): Unlisten {
    return this.#events.onAny(listener);
  }

  /**
   * Sees every request of the application as it is handed over, by its name on the wire: `publish`, `signal`,
   * `subscribe`, `unsubscribe`, `history`, `presence`, `read`.
   */
  onAnyOutgoing(listener: AnyListener): Unlisten {
    this.#outgoing.add(listener);
    return () => void this.#outgoing.delete(listener);
  }

  /**
   * Handles every message whose payload is an action envelope of this action (see {@link createMessage}), on whatever
   * channel it came. What a handler throws or rejects with is the event `error`, and stops no other.
   *
   * @returns the undo
   *
   * @example
   * client.registerHandler("new_message", async ({ data, sender }) => show(sender?.name, data));
   */
  registerHandler<Data = unknown>(action: string, handler: ActionHandler<Data>): Unlisten {
    this.#actions ??= new MessageEventHandler((error) => this.#emit("error", error));
    return this.#actions.registerHandler(action, handler);
  }

  /** Whether a connection is up. */
  get connected(): boolean {
    return this.isConnected();
  }

  /** The server's name for the present connection. */
  get connectionId(): string | undefined {
    return this.isConnected() ? this.#connection?.connectionId : undefined;
  }

  /** Whom the server took this client for when it last connected. */
  get user(): User | undefined {
    return this.#connection?.user;
  }

  /** Where the link stands. */
  get state(): Status {
    return this.getState().status;
  }

  /** The link's state in full. */
  getState(): ConnectionState {
    return this.#engine ? (this.#engine.state() as ConnectionState) : OFFLINE;
  }

  /**
   * Counts since the client was made; latencies in ms.
   *
   * @example
   * const { queueSize, latencyP95Ms } = client.getStats();
   */
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
      this.#early?.close();
      throw RealtimeError.from(error);
    });
    return this.#starting;
  }

  async #load(): Promise<Engine> {
    checkAddress(this.serverUrl);
    const { tap = (socketClass) => socketClass, protocol, webSocket: given } = this.#options;
    const [{ engine }, webSocket] = await Promise.all([import("./engine.js"), webSocketClass(given, protocol === "raw")]);
    const Client = await engine();
    const socketClass = this.#early?.socketClass ?? tap(webSocket as typeof WebSocket);
    const options = engineOptions(this.#options, socketClass);
    const weak = new WeakRef(this);
    const awake = this.#awake;
    this.#engine = new Client(
      this.serverUrl,
      { ...options, auth: this.#source(this.#options.auth) },
      (name, body) => {
        const self = awake.client ?? weak.deref();
        if (self) self.#take(name, body);
      },
    );
    return this.#engine;
  }

  /** A source of tokens as the engine gets it. */
  #source(auth: string | TokenProvider | undefined): string | TokenProvider | undefined {
    if (typeof auth !== "function") return auth;
    this.#provider = auth;
    const weak = new WeakRef(this);
    return () => {
      const self = weak.deref();
      return self && self.#provider?.();
    };
  }

  /** @internal What a channel's object tells of its people. */
  rosterOf(topic: string): Roster {
    return this.#rosters.of(topic);
  }

  /** Takes an event of the engine. */
  #take(name: string, body: unknown): void {
    this.#rosters.take(name, body, this.user?.userId);
    switch (name) {
      case "message":
        return this.#deliver(body as Message);
      case "stateChange":
        if (/^(?:disconnected|failed)$/.test((body as Events["stateChange"]).to)) delete this.#awake.client;
        else this.#awake.client = this;
        break;
      case "connected":
        this.#connection = body as Connected;
        break;
      case "ack":
        this.#publishes.settle(body as Ack);
        break;
      case "queueOverflow":
      case "queueExpired":
      case "queueRejected":
        return this.#emit(name, this.#publishes.lose(name, body as QueueLoss));
      case "subscribed":
        this.#holds.confirm((body as Subscribed).topic);
        break;
      case "unsubscribed":
        this.#holds.end((body as Events["unsubscribed"]).topic);
        break;
      case "error":
        return this.#fail(RealtimeError.from(body));
    }
    this.#emit(name as keyof Events, body as never);
  }

  /** With a channel's name, it is a subscription that was refused: a new one, or one that was in place before. */
  #fail(error: RealtimeError): void {
    const { topic, code, message } = error;
    const isOver = topic !== undefined && this.#holds.end(topic);
    this.#rosters.drop(topic);
    this.#emit("error", error);
    if (isOver) this.#emit("unsubscribed", { topic, code, message });
  }

  #deliver(message: Message): void {
    this.#events.emit("message", message);
    this.#holds.deliver(message);
    if (this.#actions) void this.#actions.handleMessage(message.payload);
  }

  #emit<Name extends keyof Events>(name: Name, body: Events[Name]): void {
    this.#inner.emit(name, body);
    this.#events.emit(name, body);
  }

  #takeBinary(payload: unknown, topic: string): [payload: unknown, parts: Uint8Array[] | undefined] {
    return takeBinary(payload, topic, this.#options.protocol === "raw");
  }

  /** Ends a subscription that nobody holds any more. */
  async #leave(topic: string): Promise<void> {
    const engine = this.#engine ?? (await this.#start());
    // Somebody may have come meanwhile.
    if (this.#holds.has(topic)) return;
    this.#announce("unsubscribe", { topic });
    this.#rosters.drop(topic);
    await settled(guard(() => engine.unsubscribe(topic)), undefined, topic);
  }

  #announce(name: string, body: unknown): void {
    for (const listener of [...this.#outgoing]) call(() => listener(name, body));
  }

  #failure(reason: string | undefined): RealtimeError {
    const text = reason ?? "The connection could not be made";
    const code = text.startsWith("Authentication failed") ? "authentication_failed" : "connect_error";
    return new RealtimeError(text, { code, retryable: code === "connect_error" });
  }
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

function disconnected(): RealtimeError {
  return new RealtimeError("`disconnect()` was called before the connection was up", { code: "disconnected" });
}
