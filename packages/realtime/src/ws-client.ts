/** The raw endpoint, frame by frame. */

import { RealtimeClient } from "./client.js";
import { ErrorCode, WsErrorCode } from "./constants.js";
import { Emitter, type Unlisten } from "./emitter.js";
import { RealtimeError } from "./error.js";
import { generateMessageId } from "./message-id.js";
import { frameOf, readOtherFrames, type WsMessage } from "./raw-frame.js";
import type {
  ChannelTypes,
  Gap,
  PresenceChange,
  PublishOptions,
  QueueLoss,
  RealtimeOptions,
  Receipt,
  Signal,
  SubscribeOptions,
  TokenProvider,
  User,
} from "./types.js";

/** The one version of the raw protocol. */
const PROTOCOL = "1.0";

/** What went wrong, by number; see {@link WsErrorCode}. */
export interface WsError {
  code: WsErrorCode | (number & {});
  message: string;
  /** The same by name, and what else is known. */
  details?: { code?: string; status?: number; retryAfterMs?: number };
}

/** What handlers of each type get as `data`. Types that are not here: `unknown`. */
export interface WsData {
  /** The server's first word on every connection. */
  connect: { clientId?: string; connectionId: string; serverTime: number; user: User };
  /** A connection is over. */
  disconnect: { code: number; reason: string; willReconnect: boolean };
  error: WsError;
  heartbeat: undefined;
  /** Channel messages, by the `type` of their payload: its `content`, or the payload itself where it has none. */
  notification: any;
  status: any;
  data: any;
  ack: { messageId: string } & Record<string, unknown>;
  signal: Signal;
  presence: PresenceChange;
  receipt: Receipt;
  gap: Gap;
  unsubscribed: { topic: string; code: string; message: string };
  closing: { code: number; reason: string; retryAfterMs?: number };
  token_expiring: { expiresAt: number };
}

/** Takes the data of a frame, and the frame around it. */
export type WsHandler<Data> = (data: Data, frame: WsMessage<Data>) => void;

/** Options of a {@link WsClient}: those of a client besides. */
export interface WsClientOptions extends Omit<RealtimeOptions, "protocol" | "auth"> {
  /** The endpoint or its server: `wss://host/api/v1/ws`, `https://host`. Default: the page's own server. */
  url?: string;
  /** The token, or whoever is asked for one before every connect. Without it the server decides about guests. */
  token?: string | TokenProvider;
  /** The protocol's version. Default, and the only one: `1.0`. */
  protocol?: string;
  /** Whether it connects by being made. Default `true`; with `false`, `connect()` does. */
  autoConnect?: boolean;
}

/** What is said of a subscription in a request. */
interface Wanted extends SubscribeOptions {
  topic: string;
}

/**
 * A client of the raw endpoint `/api/v1/ws` that speaks in its frames. The link underneath is a
 * {@link RealtimeClient}'s: it reconnects, subscribes again, brings what was missed, in order and once, and keeps
 * publishes until they are acked.
 *
 * It connects by being made (right after the script that made it has run), unless `autoConnect` is `false`.
 *
 * @example
 * const ws = new WsClient({ token, clientId: "client_123", protocol: "1.0" });
 * ws.on("notification", (data) => show(data.title));
 * ws.on("error", ({ code }) => code === WsErrorCode.AUTH_FAILED && logIn());
 * ws.send("subscribe", { topic: "public:orders", params: { orderId: "ORDER_123" } });
 */
export class WsClient {
  /** The client underneath. */
  readonly client: RealtimeClient<ChannelTypes>;
  readonly #events = new Emitter<Record<string, WsMessage>>();
  readonly #protocol: string;
  #socket: WebSocket | undefined;
  /** Whether the server has said why it refuses the connection. */
  #isToldWhy = false;
  #isClosed = false;

  constructor({ url, token, protocol = PROTOCOL, autoConnect = true, ...options }: WsClientOptions = {}) {
    this.#protocol = protocol;
    this.client = new RealtimeClient<ChannelTypes>(serverOf(url), {
      ...options,
      ...(token !== undefined && { auth: token }),
      protocol: "raw",
      tap: (Base) => this.#tap(Base),
    });
    this.client.on("message", (message) => this.#emit(frameOf(message)));
    this.client.on("connected", () => (this.#isToldWhy = false));
    this.client.on("disconnected", (end) => this.#tell("disconnect", end));
    this.client.on("queueExpired", (loss) => this.#lose(loss, "queue_expired"));
    this.client.on("queueOverflow", (loss) => this.#lose(loss, "queue_overflow"));
    // Not in the constructor: whoever made it has handlers to add.
    if (autoConnect) queueMicrotask(() => !this.#isClosed && void this.connect().catch(() => {}));
  }

  /**
   * Connects, and stays connected until `close()`.
   *
   * @throws {@link RealtimeError} as {@link RealtimeClient.connect}; `invalid_protocol` for a version other than 1.0.
   *   The handlers of `error` get the same
   */
  async connect(): Promise<void> {
    this.#isClosed = false;
    this.#isToldWhy = false;
    try {
      if (this.#protocol !== PROTOCOL) {
        const text = `The raw protocol has the version ${PROTOCOL} and not ${JSON.stringify(this.#protocol)}`;
        throw new RealtimeError(text, { code: "invalid_protocol" });
      }
      await this.client.connect();
    } catch (thrown) {
      const error = RealtimeError.from(thrown);
      if (!this.#isToldWhy && error.code !== "disconnected") this.#fail(error.message, error.code);
      throw error;
    }
  }

  /** Whether a connection is up. */
  get connected(): boolean {
    return this.client.isConnected();
  }

  /**
   * Handles the frames of a type; returns the undo. What a handler throws is reported and stops nobody else.
   *
   * @example
   * ws.on("data", (data, { topic, sequence }) => show(topic, sequence, data));
   */
  on<Type extends keyof WsData>(type: Type, handler: WsHandler<WsData[Type]>): Unlisten;
  on<Data = any>(type: string, handler: WsHandler<Data>): Unlisten;
  on(type: string, handler: WsHandler<any>): Unlisten {
    return this.#events.on(type, (frame) => handler(frame.data, frame));
  }

  /** Takes away all handlers of a type, or all. */
  off(type?: string): void {
    this.#events.off(type);
  }

  /**
   * Sends a request. `subscribe`, `unsubscribe` and `publish` outlive the connection: what is asked for while there
   * is none takes effect with the next. The others, and types of your own, need one.
   *
   * @param data - as in the table of operations, such as `{ topic, payload }` of a `publish`
   * @returns what was answered, where one is waited for; nobody needs to look at it
   * @throws {@link RealtimeError} what the server refused it with, which the handlers of `error` get too;
   *   `not_connected`
   *
   * @example
   * ws.send("publish", { topic: "public:chat", payload: { type: "notification", content: { title: "Hi" } } });
   */
  send(type: "subscribe", data: { topic: string } & SubscribeOptions): Promise<unknown>;
  send(type: "publish", data: { topic: string; payload: unknown } & PublishOptions): Promise<unknown>;
  send(type: string, data?: unknown): Promise<unknown>;
  send(type: string, data: unknown = {}): Promise<unknown> {
    const answered = this.#send(type, data);
    // It is told to the handlers of `error`, so it is no unhandled one.
    answered.catch(() => {});
    return answered;
  }

  /** Closes the connection and stays away. */
  close(): void {
    this.#isClosed = true;
    this.client.disconnect();
  }

  async #send(type: string, data: any): Promise<unknown> {
    switch (type) {
      case "subscribe":
        return this.#subscribe(data);
      case "unsubscribe":
        return this.client.unsubscribe(data.topic);
      case "publish": {
        const { topic, payload, ...options } = data;
        return this.client.publish(topic, payload, options);
      }
      case "history":
        return this.client.history(data.topic, data);
      case "presence":
        return this.client.presence(data.topic);
      case "read":
        return this.client.markRead(data.topic, data.seq);
      default:
        return this.#write(type, data);
    }
  }

  #subscribe({ topics, topic, ...options }: Wanted & { topics?: Wanted[] }): Promise<unknown> {
    if (!topics) return this.client.subscribe(topic, undefined, options);
    return Promise.allSettled(topics.map(({ topic, ...each }) => this.client.subscribe(topic, undefined, each)));
  }

  #write(type: string, data: unknown): void {
    if (!this.client.isConnected() || this.#socket?.readyState !== 1) {
      throw new RealtimeError(`\`${type}\` needs a connection and there is none`, { code: "not_connected", retryable: true });
    }
    const frame = { type, data, timestamp: Date.now(), messageId: generateMessageId() };
    this.#socket.send(JSON.stringify(frame));
  }

  /** A socket class whose frames are seen before the engine reads them, but for messages, which it hands on. */
  #tap(Base: typeof WebSocket): typeof WebSocket {
    // The engine holds the class for its own life.
    const weak = new WeakRef(this);
    const opened = (socket: WebSocket) => {
      const self = weak.deref();
      if (!self) return;
      self.#socket = socket;
      socket.addEventListener("message", ({ data }) => {
        if (self.#socket === socket && typeof data === "string") readOtherFrames(data).forEach((frame) => self.#see(frame));
      });
    };
    return class extends Base {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        opened(this);
      }
    };
  }

  #see(frame: WsMessage): void {
    if (isRefusal(frame)) {
      // A refused token is asked for once more, and refused once more.
      if (this.#isToldWhy) return;
      this.#isToldWhy = true;
    }
    this.#emit(frame);
  }

  /** A frame of this side's own. */
  #tell<Data>(type: string, data: Data): void {
    this.#emit({ type, data, timestamp: Date.now(), messageId: generateMessageId() });
  }

  /** When the engine has read the frame too: a handler may close what it is reading. */
  #emit(frame: WsMessage): void {
    queueMicrotask(() => this.#events.emit(frame.type, frame));
  }

  #lose({ messageId }: QueueLoss, name: string): void {
    this.#fail(`The message ${messageId} was dropped before it could be sent`, name);
  }

  #fail(message: string, name: string): void {
    const error: WsError = { code: numberOf(name), message, details: { code: name } };
    this.#tell("error", error);
  }
}

function isRefusal({ type, data }: WsMessage): boolean {
  return type === "error" && (data as WsError | undefined)?.code === WsErrorCode.AUTH_FAILED;
}

/** The server of an endpoint, as its queue names it. */
function serverOf(url: string | undefined): string {
  if (url === undefined) return globalThis.location?.origin ?? "";
  return url.replace(/^ws/, "http").replace(/\/api\/v1\/ws\/?(?:[?#].*)?$/, "");
}

/** The number of an error's name; what this side alone knows is a failed connection. */
function numberOf(name: string): number {
  const numbers: Record<string, number> = {
    ...WsErrorCode,
    AUTHENTICATION_FAILED: WsErrorCode.AUTH_FAILED,
    RATE_LIMITED: WsErrorCode.RATE_LIMIT,
  };
  const known = Object.entries(ErrorCode).find(([, code]) => code === name);
  return (known && numbers[known[0]]) ?? WsErrorCode.CONNECT_ERROR;
}
