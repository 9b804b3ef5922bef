/** A queue of publishes for applications that keep their own. */

import { RealtimeError } from "./error.js";
import { generateMessageId } from "./message-id.js";
import { readList, storageOf, type StorageLike } from "./storage.js";
import type { PublishOptions, QueueLoss } from "./types.js";

/** The key of the array; one entry alone stands under it, a colon and its `messageId`. */
const KEY = "offline_messages";
/** Marks what a queue of this class wrote: what clients keep under the same key is theirs. */
const WRITER = "queue";

/** A message that waits. */
export interface OfflineMessage {
  topic: string;
  payload: unknown;
  /** When it was added, ms since the Unix epoch. */
  timestamp: number;
  /** The key under which it is published only once. */
  messageId: string;
  /** Under whose login it may be sent; without it, the first that comes. */
  user?: string;
  /** The origin of the server it is for; without it, any. */
  server?: string;
  /** Says that a queue of this class wrote it. */
  writer?: typeof WRITER;
  options?: PublishOptions;
}

/** Options of a queue. Times are ms. */
export interface OfflineQueueOptions {
  /** Where it is kept. Default `localStorage` where there is one; `null`: memory only. */
  storage?: StorageLike | null;
  /** Most messages; beyond it the oldest is dropped. Default 1,000. */
  size?: number;
  /** How long a message may wait. Default 300,000; 0: without end. */
  expiryMs?: number;
  /** Under whose login the messages may be sent. Default: whoever's comes first. */
  user?: string;
  /** The origin of the server that they are for, such as `https://realtime.example.com`. Default: any server. */
  server?: string;
}

/** What became of a flush. */
export interface FlushReport {
  /** Published. */
  sent: number;
  /** Still waiting: their publish failed, and the same one may succeed later. */
  kept: number;
  /** Taken out: refused in a way that no repetition changes, expired, or dropped. */
  lost: QueueLoss[];
}

/** Publishes one message; `options` carries the `messageId` that makes a repetition harmless. */
export type PublishFunction = (topic: string, payload: unknown, options: PublishOptions) => unknown;

/**
 * Keeps messages until they are flushed, in storage where there is one, in the format of a client's own queue: what a
 * page left there, the next client sends too. Each has a `messageId`; a publish that passes it on happens once,
 * whoever sends it first.
 *
 * It sends, expires and drops what queues of this class have added, in this page or another, and what the first format
 * of such queues left; of that only what is marked with its own `user` and `server`, or with none. What clients keep
 * under the same key, and what is another user's, it leaves alone.
 *
 * A {@link RealtimeClient} queues by itself; this is for applications that decide when to send.
 *
 * @example
 * const queue = new OfflineMessageQueue();
 * await queue.add("public:chat", { text: "later" });
 * await queue.flush((topic, payload, options) => client.publish(topic, payload, options));
 */
export class OfflineMessageQueue {
  /** What waits, the oldest first. */
  queue: OfflineMessage[];
  readonly #storage: StorageLike | undefined;
  readonly #size: number;
  readonly #expiryMs: number;
  readonly #marks: Pick<OfflineMessage, "user" | "server">;
  /** Those that stand in storage as far as is known: gone from there means sent by somebody else. */
  readonly #kept = new Set<string>();
  #lost: QueueLoss[] = [];
  #flushing: Promise<FlushReport> | undefined;

  constructor({ storage, size = 1_000, expiryMs = 300_000, user, server }: OfflineQueueOptions = {}) {
    this.#storage = storageOf(storage);
    this.#size = size;
    this.#expiryMs = expiryMs;
    this.#marks = { ...(user !== undefined && { user }), ...(server !== undefined && { server }) };
    this.queue = this.loadFromStorage();
  }

  /** Adds a message; it is kept when this returns. Where the queue is full, the oldest goes. */
  async add(topic: string, payload: unknown, options: PublishOptions = {}): Promise<void> {
    const { messageId = generateMessageId(), signal: _, ackRequired: __, ...wanted } = options;
    const timestamp = Date.now();
    const message: OfflineMessage = { topic, payload, options: wanted, timestamp, messageId, writer: WRITER, ...this.#marks };
    this.queue.push(message);
    while (this.queue.length > this.#size) this.#lose(this.queue[0] as OfflineMessage);
    this.#write(message);
  }

  /**
   * Publishes what waits, one after the other. A message leaves the queue when its publish has succeeded, or was
   * refused with an error that says that a repetition is of no use; the others wait for the next flush.
   *
   * @param publishFunction - called with topic, payload and `{messageId, …}`
   */
  flush(publishFunction: PublishFunction): Promise<FlushReport> {
    this.#flushing ??= this.#flush(publishFunction).finally(() => (this.#flushing = undefined));
    return this.#flushing;
  }

  /** What stands in storage and may be sent by this queue, the oldest first. */
  loadFromStorage(): OfflineMessage[] {
    const found = new Map<string, OfflineMessage>();
    this.#nameTheNameless();
    for (const value of [...readList(this.#storage, KEY), ...this.#readApart()]) {
      const message = asMessage(value);
      if (message && this.#isOurs(message)) found.set(message.messageId, message);
    }
    for (const id of found.keys()) this.#kept.add(id);
    return [...found.values()].sort((one, other) => one.timestamp - other.timestamp);
  }

  /** Writes all that waits to storage. Storage that is missing or full leaves it in memory. */
  saveToStorage(): void {
    for (const message of this.queue) this.#write(message);
  }

  async #flush(publish: PublishFunction): Promise<FlushReport> {
    this.#dropWhatOthersSent();
    let sent = 0;
    const report = { kept: 0, lost: this.#lost };
    this.#lost = [];
    for (const message of [...this.queue]) {
      const { topic, payload, messageId, options, timestamp } = message;
      if (this.#expiryMs > 0 && Date.now() - timestamp > this.#expiryMs) {
        this.#lose(message, new RealtimeError("The message waited too long", { code: "queue_expired", topic }));
        continue;
      }
      try {
        await publish(topic, payload, { ...options, messageId });
        this.#remove(messageId);
        sent++;
      } catch (error) {
        if (error instanceof RealtimeError && isFinal(error)) this.#lose(message, error);
        else report.kept++;
      }
    }
    report.lost.push(...this.#lost);
    this.#lost = [];
    return { sent, ...report };
  }

  /** A client of this page, or of another tab, sends what stands in storage and takes it out. */
  #dropWhatOthersSent(): void {
    const known = new Set(this.#kept);
    const present = new Set(this.loadFromStorage().map(({ messageId }) => messageId));
    this.queue = this.queue.filter(({ messageId }) => present.has(messageId) || !known.has(messageId));
  }

  #lose({ messageId, topic }: OfflineMessage, error?: RealtimeError): void {
    this.#remove(messageId);
    this.#lost.push(error ? { messageId, topic, error } : { messageId, topic });
  }

  #remove(messageId: string): void {
    this.queue = this.queue.filter((message) => message.messageId !== messageId);
    this.#kept.delete(messageId);
    this.#try((storage) => {
      storage.removeItem(`${KEY}:${messageId}`);
      const all = readList(storage, KEY);
      const others = all.filter((value) => asMessage(value)?.messageId !== messageId);
      if (others.length < all.length) storage.setItem(KEY, JSON.stringify(others));
    });
  }

  /** Under a key of its own: the array may be rewritten by another tab at any time. */
  #write(message: OfflineMessage): void {
    this.#try((storage) => {
      const inArray = readList(storage, KEY).some((value) => asMessage(value)?.messageId === message.messageId);
      if (!inArray) storage.setItem(`${KEY}:${message.messageId}`, JSON.stringify(message));
      this.#kept.add(message.messageId);
    });
  }

  /** Entries of the first format have no `messageId`. It is written before any is sent: sent again, it is the same. */
  #nameTheNameless(): void {
    this.#try((storage) => {
      const all = readList(storage, KEY) as Partial<OfflineMessage>[];
      const nameless = all.filter((entry) => entry?.topic !== undefined && entry.messageId === undefined);
      for (const entry of nameless) Object.assign(entry, { messageId: generateMessageId(), writer: WRITER });
      if (nameless.length > 0) storage.setItem(KEY, JSON.stringify(all));
    });
  }

  #readApart(): unknown[] {
    const found: unknown[] = [];
    this.#try((storage) => {
      for (let at = 0; at < storage.length; at++) {
        const key = storage.key(at);
        if (!key?.startsWith(`${KEY}:`) || key.startsWith(`${KEY}:corrupt:`)) continue;
        try {
          found.push(JSON.parse(storage.getItem(key) ?? ""));
        } catch {
          // Broken entries are the client's to put aside and to report.
        }
      }
    });
    return found;
  }

  #isOurs({ writer, user, server }: OfflineMessage): boolean {
    const fits = (theirs?: string, ours?: string) => theirs === undefined || theirs === ours;
    return writer === WRITER && fits(user, this.#marks.user) && fits(server, this.#marks.server);
  }

  #try(use: (storage: StorageLike) => void): void {
    try {
      if (this.#storage) use(this.#storage);
    } catch {
      // Blocked or full: what is added lives in memory.
    }
  }
}

/** Whether the same publish can never succeed. A wait that was given up says nothing about the message. */
function isFinal({ code, retryable }: RealtimeError): boolean {
  return !retryable && !["aborted", "cancelled", "disconnected"].includes(code);
}

/** An entry of a queue; `undefined` for what is none, and for one with binary parts, which only a client can send. */
function asMessage(value: unknown): OfflineMessage | undefined {
  const { topic, payload, timestamp = 0, messageId, attachments } = (value ?? {}) as Partial<OfflineMessage> & {
    attachments?: unknown;
  };
  const isOne =
    typeof topic === "string" && payload !== undefined && typeof messageId === "string" && attachments === undefined;
  return isOne && typeof timestamp === "number"
    ? { ...(value as OfflineMessage), timestamp }
    : undefined;
}
