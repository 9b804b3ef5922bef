/** What is said and heard: messages, events, options, states. Times are ms since the Unix epoch. */

import type { RealtimeError } from "./error.js";
import type { StorageLike } from "./storage.js";

/** Payload types by channel name or pattern: `{ "public:chat": Chat; "user:*": Note }`. */
export type ChannelTypes = object;

type Matches<Pattern extends string, Topic extends string> = Pattern extends `${infer Head}*`
  ? Topic extends `${Head}${string}`
    ? true
    : false
  : Topic extends Pattern
    ? true
    : false;

type Found<Channels, Topic extends string> = {
  [Pattern in keyof Channels & string]: Matches<Pattern, Topic> extends true ? Channels[Pattern] : never;
}[keyof Channels & string];

/** The payload of a channel: what `Channels` says about its name, `unknown` where it says nothing. */
export type PayloadOf<Channels, Topic extends string> = [Found<Channels, Topic>] extends [never]
  ? unknown
  : Found<Channels, Topic>;

/** Who a token speaks for. */
export interface User {
  userId: string;
  name: string;
  role: "admin" | "user" | "guest";
  permissions: string[];
}

/** One published item. */
export interface Message<Payload = unknown> {
  /** The server's id, unique over all channels. */
  id: string;
  topic: string;
  type: "event";
  payload: Payload;
  /** When the server took it. */
  timestamp: number;
  /** The publisher's user id. */
  from: string;
  /** 1, 2, 3, … in its channel; absent on servers that do not number. */
  seq?: number;
  /** The publisher's own `messageId`. */
  clientMessageId?: string;
  /** On the raw endpoint, the type of the frame that it came in; missing where it came with a reply, as a missed one. */
  frame?: "data" | "status" | "notification";
}

/** Takes the messages of a channel. */
export type MessageHandler<Payload = unknown> = (message: Message<Payload>) => void;

/** Something said to the present subscribers only: typing, cursors. */
export interface Signal<Payload = unknown> {
  topic: string;
  from: string;
  payload: Payload;
  timestamp: number;
}

/** One user present on a channel. */
export interface Present {
  userId: string;
  name: string;
  /** How many of the user's connections are subscribed. */
  connections: number;
  since: number;
}

/** A user came to a channel or left it. */
export interface PresenceChange {
  topic: string;
  action: "join" | "leave";
  user: Present;
}

/** Somebody read a channel up to a seq. */
export interface Receipt {
  topic: string;
  userId: string;
  seq: number;
}

/** A notification for people. */
export interface Notification {
  id: string;
  type: "notification";
  level: "info" | "warning" | "error";
  title?: string;
  message: string;
  timestamp: number;
}

/** The server's first word on every connection. */
export interface Connected {
  connectionId: string;
  /** The server's clock. */
  timestamp: number;
  user: User;
}

/** Where a link stands. */
export type Status = "disconnected" | "connecting" | "connected" | "reconnecting" | "failed";

/** The link's state in full. */
export interface ConnectionState {
  status: Status;
  lastConnected?: number;
  lastDisconnected?: number;
  /** Attempts since the last connection that lived. */
  reconnectAttempts: number;
  /** When the next attempt is due. */
  nextRetryAt?: number;
  /** Why the link is not up, for people. */
  error?: string;
}

/** The link changed its state. */
export interface StateChange {
  from: Status;
  to: Status;
  at: number;
  reason?: string;
}

/** Counts since the client was made. */
export interface Stats {
  status: Status;
  subscriptions: number;
  /** Messages waiting for their ack. */
  queueSize: number;
  /** Connections after the first. */
  reconnectCount: number;
  messagesReceived: number;
  messagesPublished: number;
  duplicatesDropped: number;
  /** Gaps that a recovery was asked for. */
  recoveries: number;
  /** Gaps that stayed. */
  gaps: number;
  framesReceived: number;
  framesSent: number;
  bytesReceived: number;
  bytesSent: number;
  /** The last round trip of a heartbeat or a publish, ms; then percentiles of the last 128. */
  latencyMs?: number;
  latencyP50Ms?: number;
  latencyP95Ms?: number;
  latencyP99Ms?: number;
}

/** A publish was stored. */
export interface Published {
  /** The server's id of the message. */
  messageId: string;
  topic: string;
  /** Its number in the channel. */
  seq?: number;
  /** How many connections it went to; missing for none, and where the message came back before its ack. */
  deliveredTo?: number;
  /** Whether the same `messageId` had been stored before, and this is that message. */
  duplicate: boolean;
}

/** A publish was stored; after a reload it may be one of the page before. */
export interface Ack extends Published {
  /** The key of the publish. */
  clientMessageId: string;
}

/** A subscription is in place. What came before it goes to the handlers, in order and before what comes after. */
export interface Subscribed {
  topic: string;
  /** Where the live stream begins. */
  seq?: number;
  /** The numbering that `seq` belongs to. */
  epoch?: string;
  /** Connections subscribed, this one included. */
  subscriberCount?: number;
  /** Whether everything after `since` came; absent where `since` was not given. */
  recovered?: boolean;
  /** Who is present, where it was asked for. */
  presence?: Present[];
  /** How far others have read, where it was asked for. */
  readers?: Reader[];
  /** How far this user has read; 0 before the first time. */
  readSeq?: number;
  /** Messages of others above `readSeq`. */
  unread?: number;
}

/** How far somebody has read. */
export interface Reader {
  userId: string;
  seq: number;
}

/** A read position is kept. */
export interface ReadTo {
  topic: string;
  /** The highest that was ever told. */
  seq: number;
  /** Messages of others above it. */
  unread: number;
}

/** A page of history, ascending. */
export interface HistoryPage<Payload = unknown> {
  messages: Message<Payload>[];
  /** Newest seq of the channel, not of the page. */
  seq: number;
  epoch: string;
  /** Whether more lie in the direction that was asked for. */
  hasMore: boolean;
}

/** Who is present on a channel. */
export interface PresenceList {
  users: Present[];
  count: number;
}

/** A stream broke: messages were missed that cannot be had any more. */
export interface Gap {
  topic: string;
  /** `epoch_changed`, `trimmed`, `position_ahead`, `limit`; `timeout` where nobody brought them within 2 s. */
  reason: string;
  /** The last position before them. */
  seq?: number;
  epoch?: string;
  /** The first seq that is there again, where that is known. */
  oldestSeq?: number;
}

/** What became of a message that will not be sent. */
export interface QueueLoss {
  messageId: string;
  topic: string;
  /** Why, where the server refused it. */
  error?: RealtimeError;
}

/** Every event and its body. */
export interface Events {
  /** A connection is up, the first or a later one. */
  connected: Connected;
  /** An open connection is over, and whether the client comes back by itself. */
  disconnected: { code: number; reason: string; willReconnect: boolean };
  stateChange: StateChange;
  message: Message;
  signal: Signal;
  presence: PresenceChange;
  receipt: Receipt;
  notification: Notification;
  ack: Ack;
  /** A refusal that answers no call; of a subscription, with its `topic`. */
  error: RealtimeError;
  /** The next attempt is planned; `delayMs` is missing while the host is offline. */
  reconnecting: { attempt: number; delayMs?: number };
  /** The link is up again, after so many attempts. */
  reconnected: { attempts: number };
  /** The attempts that the policy allows are used up. */
  reconnectFailed: { attempts: number };
  /** A new token was refused too; nothing is tried until `connect()` is called. */
  tokenExpired: object;
  /** The server says when the token ends. */
  tokenExpiring: { expiresAt: number };
  /** A subscription is in place, for the first time or again: after a reconnect, or for a message that was missing. */
  subscribed: Subscribed;
  gap: Gap;
  /**
   * A subscription is over: the server took it away, or refused it when it was asked for after a reconnect (that is an
   * `error` too). Its handlers are let go. Not for `unsubscribe()`.
   */
  unsubscribed: { topic: string; code: string; message: string };
  /** The server closes the connection next. */
  closing: { code: number; reason: string; retryAfterMs?: number };
  /**
   * How many subscribed connections confirmed a message that was published with `requireDelivery`, and how many have not
   * yet. Tabs that share a connection (`shared`) are one: the first of them that hands the message on confirms it.
   * `messageId` is the server's.
   */
  delivery: { messageId: string; confirmed: number; pending: number };
  /** How many messages wait has changed. */
  queueSize: { size: number };
  /** The queue was full; its oldest message was dropped. */
  queueOverflow: QueueLoss;
  /** A message waited longer than `queue.expiryMs`. */
  queueExpired: QueueLoss;
  /** The server refused a message; the ones behind it go on. */
  queueRejected: QueueLoss;
  /** A heartbeat came back after `ms`. */
  latency: { ms: number };
  /**
   * The host lacks something, and the client does without: `storage_unavailable`, `storage_full`, `storage_corrupt` (the
   * queue, or part of it, lives in memory), `not_shared`. `message` is for people. Each once per client.
   */
  warning: { code: string; message: string };
}

/**
 * Gives the token for a connection, with or without `Bearer ` before it: called for every connect, again once when one
 * was refused, and when the present one is about to end. `null` or `undefined`: a guest. What it throws is the event
 * `error`, and counts as an attempt that failed.
 */
export type TokenProvider = () => string | null | undefined | Promise<string | null | undefined>;

/** Options of a client. All are optional; times are ms. */
export interface RealtimeOptions {
  /** The token, or whoever is asked for one. Without it the server decides about guests. */
  auth?: string | TokenProvider;
  /** When to come back: the n-th delay is `min(baseMs · factor^n, capMs) × (1 ± jitter)`. */
  reconnect?: {
    /** Default `true`. */
    enabled?: boolean;
    /** Default `-1`: no end. */
    maxAttempts?: number;
    /** Default 1,000. */
    baseMs?: number;
    /** Default 30,000. */
    capMs?: number;
    /** Default 2. */
    factor?: number;
    /** Default 0.25. */
    jitter?: number;
  };
  /** Another spelling of `reconnect.baseMs`. */
  reconnectionDelay?: number;
  /** Another spelling of `reconnect.maxAttempts`. */
  maxReconnectAttempts?: number;
  /** Another spelling of `reconnect.maxAttempts`. */
  reconnectionAttempts?: number;
  /**
   * What may carry the connection. Default both, in any order: a WebSocket, and HTTP long-polling where none can be
   * opened, until one can.
   */
  transports?: ("websocket" | "polling")[];
  /** How often a heartbeat is sent. Default 30,000. */
  heartbeatIntervalMs?: number;
  /** Another spelling of `heartbeatIntervalMs`. */
  heartbeatInterval?: number;
  /** What `publish()` keeps until the server has it. */
  queue?: {
    /** Most messages. Default 1,000; beyond it the oldest is dropped and reported. */
    size?: number;
    /** How long a message may wait. Default 300,000; 0: as long as the server remembers message ids. */
    expiryMs?: number;
  };
  /** Another spelling of `queue.size`. */
  maxQueueSize?: number;
  /** How many message ids are remembered to drop duplicates. Default 1,000. */
  dedupSize?: number;
  /** Where the queue is kept. Default `localStorage` where there is one; `null`: memory only. */
  storage?: StorageLike | null;
  /** A WebSocket class to use instead of the host's own. */
  webSocket?: unknown;
  /** @internal Stands between the engine and the WebSocket class. */
  tap?: (socketClass: typeof WebSocket) => unknown;
  /**
   * Which endpoint of the server is spoken to: Socket.IO, or the raw WebSocket, whose messages carry the `content` of
   * a payload that has one in place of the whole. Default `socketio`.
   */
  protocol?: "socketio" | "raw";
  /** The client's own name, 128 printable ASCII characters at most; the raw endpoint says it back. */
  clientId?: string;
  /**
   * Whether the tabs of one browser share a connection: those of the same user, server and option. One of them holds
   * it; when that tab is closed, frozen, hangs or crashes, another takes over, and nothing is lost or doubled. Each tab
   * subscribes and publishes as if it were alone, but for a filter (`params`): one channel has one at a time, and a tab
   * that asks for another is refused with `invalid_operation`. Needs `BroadcastChannel`, and Web Locks or storage: where
   * they are missing, or storage is too full for a lease, the tab connects by itself and the event `warning` says
   * `not_shared`. Not with `protocol: "raw"`. Default `false`.
   */
  shared?: boolean;
  /** Prints every event and every request, for looking at what goes on: `true` for the host's console. Default off. */
  console?: boolean | Pick<Console, "debug">;
}

/** Options of a call that waits. */
export interface WaitOptions {
  /** Ends the wait, not the thing waited for. */
  signal?: AbortSignal;
}

/** Options of a subscription. */
export interface SubscribeOptions extends WaitOptions {
  /** Everything after this position is wanted: the handler gets it first. */
  since?: { seq: number; epoch: string };
  /** This many of the newest messages are wanted: the handler gets them first. */
  history?: number;
  /** Only messages whose payload has these field values. */
  params?: Record<string, unknown>;
  /** Whether joins and leaves are wanted, and the reply lists who is present. */
  presence?: boolean;
  /** Whether the reply lists how far others have read; receipts come either way. */
  readers?: boolean;
}

/** Options of a publish. */
export interface PublishOptions extends WaitOptions {
  /** The key under which it happens only once. Default: a new one. */
  messageId?: string;
  /** What a slow subscriber gets first and loses last. Default `normal`. */
  priority?: "low" | "normal" | "high";
  /** Never delivered later than this after it was taken, ms. Default 0: no end. */
  ttl?: number;
  /**
   * Whether each subscribed connection confirms it, so that the event `delivery` can tell; a message that is not confirmed
   * is sent again after 5 s, three times, and handed on once. Default `false`.
   */
  requireDelivery?: boolean;
  /** Taken and without effect: an ack is always asked for, because only it takes a message out of the queue. */
  ackRequired?: boolean;
}

/** Which page of a history. */
export interface HistoryOptions extends WaitOptions {
  /** The newest messages below this seq. */
  before?: number;
  /** The oldest messages above this seq. */
  after?: number;
  /** Default 50, at most 200. */
  limit?: number;
}
