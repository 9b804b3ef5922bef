/** A socket that comes back, for any WebSocket server. */

import { delayMs } from "./backoff.js";
import { CloseCode, shouldReconnect } from "./constants.js";
import { Emitter, type Listener, type Unlisten } from "./emitter.js";
import { RealtimeError } from "./error.js";
import { onReturn } from "./host.js";
import { PingPong } from "./ping-pong.js";
import { SendQueue, type Sendable } from "./send-queue.js";
import { webSocketClass } from "./web-socket.js";

/** How long opening a socket may take, ms. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that lived this long, ms, was a good one: the attempts begin at 0 again. */
const GOOD_AFTER_MS = 5_000;
/** Proxies that go away for good say the same as those that are changed: later than others, ms. */
const GOING_AWAY_DELAY_MS = 5_000;
const FACTOR = 2;
const JITTER = 0.25;

/** Options of a {@link WebSocketManager}. Times are ms. */
export interface WebSocketManagerOptions {
  /** Subprotocols to ask for. Default: none. */
  protocols?: string | string[];
  /** Attempts in a row before it gives up; −1 and `Infinity`: no end. Default 5. */
  maxReconnectAttempts?: number;
  /** The first delay; each later one is twice as long, ± 25 %. Default 1,000. */
  reconnectDelay?: number;
  /** The longest delay, before what is random. Default 30,000. */
  maxReconnectDelay?: number;
  /** Most messages that wait for a connection; then the oldest is dropped and reported by `error`. Default 100. */
  maxQueueSize?: number;
  /** How long a message may wait; then it is dropped and reported by `error`. Default 300,000. */
  messageExpiry?: number;
  /** How often `{"type":"ping","timestamp":…}` is sent; 0: never. Default 30,000. */
  heartbeatInterval?: number;
  /** How long the answer to it may take: `{"type":"pong"}`, or any other message. Default 5,000. */
  pongTimeout?: number;
  /** What binary messages arrive as. Default `arraybuffer`. */
  binaryType?: BinaryType;
  /** A WebSocket class to use instead of the host's own. */
  webSocket?: unknown;
}

/** Where a {@link WebSocketManager} stands. */
export type SocketState = "disconnected" | "connecting" | "connected" | "reconnecting";

/** How a connection ended. */
export interface SocketClose {
  code: number;
  reason: string;
  wasClean: boolean;
}

/** Every event of a {@link WebSocketManager} and its body. */
export interface SocketEvents {
  open: unknown;
  /** `data` is what the text is as JSON, or the text; `raw` is what came. */
  message: { data: any; raw: unknown };
  close: SocketClose;
  /** The socket's own error event, or a {@link RealtimeError}: what was dropped, and what cannot be connected to. */
  error: unknown;
  /** The next attempt is planned, in `delay` ms. */
  reconnect: { attempt: number; maxAttempts: number; delay: number };
  stateChange: { oldState: SocketState; newState: SocketState; timestamp: number };
}

/** Counts since the manager was made. Times are ms. */
export interface SocketCounts {
  messagesReceived: number;
  messagesSent: number;
  /** Attempts after the first. */
  reconnectCount: number;
  /** How long all connections that are over lasted. */
  totalConnectTime: number;
  /** When the last connection came up, since the Unix epoch. */
  lastConnectTime: number | null;
}

/** What `getState()` returns. */
export interface SocketSnapshot {
  connectionState: SocketState;
  /** The socket's own, 0 to 3; `null` without a socket. */
  readyState: number | null;
  reconnectAttempts: number;
  queueLength: number;
  /** When the last sign of life came, ms since the Unix epoch. */
  lastPongTime: number | null;
  stats: SocketCounts;
}

/** What `getStats()` returns. */
export interface SocketStats extends SocketCounts {
  currentState: SocketState;
  queueLength: number;
  /** How long the present connection lasts, ms. */
  uptime: number;
}

/**
 * A reconnecting WebSocket for any server: backoff, heartbeats, and a queue for what is sent meanwhile. It knows
 * nothing of channels and acks; for BMT Realtime's server see {@link RealtimeClient} and {@link WsClient}.
 *
 * It comes back after what {@link shouldReconnect} says: not after 1000, 1002, 1003, 1007, 1008, 4002; after 1001
 * in 5 s at least; after 1009 with the event `error` for what was too large.
 *
 * It follows the core of the other classes in its policy (delays, close codes, what a good connection is) and not in its
 * code, and loads none of it. That is for its contract: states move, and `send()` says whether a message has left, within
 * the call, which what is loaded later cannot; its queue holds frames that nobody acknowledges, where the core's holds
 * publishes until their ack; its heartbeat is JSON that any message answers. Whoever wants only this pays for only this.
 *
 * @example
 * const socket = new WebSocketManager("wss://api.example.com/chat");
 * socket.on("message", ({ data }) => show(data));
 * socket.connect();
 * socket.send({ type: "chat", content: "hello" }); // sent when the connection is up
 */
export class WebSocketManager {
  readonly url: string;
  readonly #options: Required<Omit<WebSocketManagerOptions, "webSocket" | "protocols">> & WebSocketManagerOptions;
  readonly #events = new Emitter<SocketEvents>();
  readonly #queue: SendQueue;
  readonly #counts: SocketCounts = {
    messagesReceived: 0,
    messagesSent: 0,
    reconnectCount: 0,
    totalConnectTime: 0,
    lastConnectTime: null,
  };
  readonly #heartbeat: PingPong;
  #state: SocketState = "disconnected";
  #socket: WebSocket | undefined;
  #attempts = 0;
  /** Of the next attempt, or of the one that is under way. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unlisten: Unlisten | undefined;
  /** Counts sockets: what comes for an earlier one is too late. */
  #turn = 0;

  /** @param url - `ws:` or `wss:` address. Nothing is opened before `connect()` */
  constructor(url: string, options: WebSocketManagerOptions = {}) {
    this.url = url;
    this.#options = {
      maxReconnectAttempts: 5,
      reconnectDelay: 1_000,
      maxReconnectDelay: 30_000,
      maxQueueSize: 100,
      messageExpiry: 300_000,
      heartbeatInterval: 30_000,
      pongTimeout: 5_000,
      binaryType: "arraybuffer",
      ...given(options),
    };
    const { maxQueueSize, messageExpiry, heartbeatInterval, pongTimeout } = this.#options;
    this.#queue = new SendQueue(maxQueueSize, messageExpiry, (error) => this.#events.emit("error", error));
    this.#heartbeat = new PingPong(heartbeatInterval, pongTimeout, {
      ping: (text) => this.#socket?.send(text),
      timeout: () => this.#closed({ code: CloseCode.HEARTBEAT_TIMEOUT, reason: "No pong came in time", wasClean: false }),
    });
  }

  /** Connects, and stays connected until `disconnect()`; does nothing where that is under way. */
  connect(): void {
    if (this.#state === "connecting" || this.#state === "connected") return;
    this.#attempts = 0;
    this.#unlisten ??= onReturn(() => this.#state === "reconnecting" && this.#open());
    this.#open();
  }

  /** Closes with code 1000 and stays away. What is queued stays queued. */
  disconnect(): void {
    const socket = this.#detach();
    this.#stop();
    if (this.#state === "disconnected") return;
    const close = { code: CloseCode.NORMAL, reason: "Client closing", wasClean: true };
    socket?.close(close.code, close.reason);
    this.#endUptime();
    this.#move("disconnected");
    if (socket) this.#events.emit("close", close);
  }

  /**
   * Sends a message: text and binary as they are, anything else as JSON.
   *
   * @returns whether it was sent; `false`: it is queued until there is a connection
   *
   * @example
   * if (!socket.send({ type: "chat", content: "hello" })) showPending();
   */
  send(message: string | object | number | boolean | null): boolean {
    const data = isSendable(message) ? message : JSON.stringify(message);
    if (this.isConnected() && this.#write(data)) return true;
    this.#queue.add(data);
    return false;
  }

  /** Listens to an event; returns the undo. What a listener throws is reported and stops nobody else. */
  on<Name extends keyof SocketEvents>(name: Name, listener: Listener<SocketEvents[Name]>): Unlisten {
    return this.#events.on(name, listener);
  }

  /** Stops listening: one listener, all of an event, or all. */
  off<Name extends keyof SocketEvents>(name?: Name, listener?: Listener<SocketEvents[Name]>): void {
    this.#events.off(name, listener);
  }

  /** Where it stands. */
  getState(): SocketSnapshot {
    return {
      connectionState: this.#state,
      readyState: this.#socket?.readyState ?? null,
      reconnectAttempts: this.#attempts,
      queueLength: this.#queue.length,
      lastPongTime: this.#heartbeat.lastPongTime,
      stats: { ...this.#counts },
    };
  }

  /** The counts, and for how long the present connection lasts. */
  getStats(): SocketStats {
    return { ...this.#counts, currentState: this.#state, queueLength: this.#queue.length, uptime: this.#uptime() };
  }

  /** Whether what is sent now leaves now. */
  isConnected(): boolean {
    return this.#state === "connected" && this.#socket?.readyState === 1;
  }

  async #open(): Promise<void> {
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    this.#move("connecting");
    try {
      const Socket = (await webSocketClass(this.#options.webSocket, true)) as typeof WebSocket;
      if (turn !== this.#turn) return;
      this.#listen(new Socket(this.url, this.#options.protocols), turn);
    } catch (cause) {
      if (turn !== this.#turn) return;
      // A malformed address, or a host without WebSockets: no later attempt fares better.
      this.#stop();
      this.#move("disconnected");
      const text = `No WebSocket can be opened to ${JSON.stringify(this.url)}: ${String(cause)}`;
      this.#events.emit("error", new RealtimeError(text, { code: "connect_error", cause }));
    }
  }

  #listen(socket: WebSocket, turn: number): void {
    this.#socket = socket;
    socket.binaryType = this.#options.binaryType;
    const now = (run: () => void) => turn === this.#turn && run();
    socket.onopen = (event) => now(() => this.#opened(event));
    socket.onmessage = ({ data }) => now(() => this.#received(data));
    // `ws` throws where nobody listens, also after the socket was given up.
    socket.onerror = (event) => now(() => this.#events.emit("error", event));
    socket.onclose = ({ code, reason, wasClean }) => now(() => this.#closed({ code, reason, wasClean }));
    const late = { code: CloseCode.ABNORMAL, reason: "The connection did not open in time", wasClean: false };
    this.#timer = setTimeout(() => this.#closed(late), CONNECT_TIMEOUT_MS);
  }

  #opened(event: unknown): void {
    clearTimeout(this.#timer);
    this.#counts.lastConnectTime = Date.now();
    this.#move("connected");
    // A listener may have called `disconnect()`.
    if (!this.#socket) return;
    this.#heartbeat.start();
    this.#queue.flush((data) => this.isConnected() && this.#write(data));
    this.#events.emit("open", event);
  }

  #received(raw: unknown): void {
    this.#heartbeat.alive();
    this.#counts.messagesReceived++;
    let data = raw;
    try {
      if (typeof raw === "string") data = JSON.parse(raw);
    } catch {
      // A text of another kind.
    }
    if ((data as { type?: unknown } | null)?.type === "pong") return;
    this.#events.emit("message", { data, raw });
  }

  #closed(close: SocketClose): void {
    this.#detach()?.close();
    const wasGood = this.#endUptime() >= GOOD_AFTER_MS;
    if (wasGood) this.#attempts = 0;
    this.#move("disconnected");
    this.#events.emit("close", close);
    // A listener may have called `connect()` or `disconnect()`.
    if (this.#state !== "disconnected" || !this.#unlisten) return;
    if (close.code === CloseCode.TOO_LARGE) {
      const text = "The server closed the connection for a message that is too large; it is not sent again";
      this.#events.emit("error", new RealtimeError(text, { code: "message_too_large" }));
    }
    if (shouldReconnect(close.code)) this.#scheduleReconnect(close.code);
    else this.#stop();
  }

  #scheduleReconnect(code: number): void {
    const { maxReconnectAttempts, reconnectDelay: baseMs, maxReconnectDelay: capMs } = this.#options;
    const maxAttempts = maxReconnectAttempts < 0 ? Infinity : maxReconnectAttempts;
    if (this.#attempts >= maxAttempts) return this.#stop();
    const backoff = delayMs({ baseMs, capMs, factor: FACTOR, jitter: JITTER }, this.#attempts++);
    const delay = code === CloseCode.GOING_AWAY ? Math.max(backoff, GOING_AWAY_DELAY_MS) : backoff;
    this.#counts.reconnectCount++;
    this.#timer = setTimeout(() => this.#open(), delay);
    this.#move("reconnecting");
    this.#events.emit("reconnect", { attempt: this.#attempts, maxAttempts, delay });
  }

  #write(data: Sendable): boolean {
    try {
      this.#socket?.send(data as string);
      this.#counts.messagesSent++;
      return true;
    } catch {
      // It is closing: what follows goes to the queue too.
      return false;
    }
  }

  /** Lets go of the socket: nothing that it says is heard any more. */
  #detach(): WebSocket | undefined {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#turn++;
    clearTimeout(this.#timer);
    this.#heartbeat.stop();
    return socket;
  }

  /** Nothing is tried any more. */
  #stop(): void {
    clearTimeout(this.#timer);
    this.#unlisten?.();
    this.#unlisten = undefined;
  }

  /** Adds the present connection's time to the total; answers with it, ms. */
  #endUptime(): number {
    const uptime = this.#uptime();
    this.#counts.totalConnectTime += uptime;
    return uptime;
  }

  #uptime(): number {
    return this.#state === "connected" ? Date.now() - (this.#counts.lastConnectTime ?? 0) : 0;
  }

  #move(newState: SocketState): void {
    const oldState = this.#state;
    if (oldState === newState) return;
    this.#state = newState;
    this.#events.emit("stateChange", { oldState, newState, timestamp: Date.now() });
  }
}

/** An option that is `undefined` is none. */
function given<Options extends object>(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options;
}

function isSendable(message: unknown): message is Sendable {
  return (
    typeof message === "string" ||
    message instanceof ArrayBuffer ||
    ArrayBuffer.isView(message) ||
    (typeof Blob === "function" && message instanceof Blob)
  );
}
