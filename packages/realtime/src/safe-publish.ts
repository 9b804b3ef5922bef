/** Publishing with repetitions, and a place for what failed for good. */

import { RealtimeError } from "./error.js";
import { generateMessageId } from "./message-id.js";
import { Realtime } from "./realtime.js";
import { readList, storageOf } from "./storage.js";
import type { PublishOptions, Published, User } from "./types.js";
import { delay } from "./wait.js";

/** The key of the array of {@link FailedMessage}s. */
const KEY = "failed_messages";
/** Failed messages that are kept; then the oldest goes. */
const MOST_FAILED = 100;
/** The wait before the first repetition, ms; each later one is twice as long. */
const FIRST_WAIT_MS = 1_000;
/** The longest wait that is asked of a caller, ms, whatever `retries` is and whatever the server says. */
const LONGEST_WAIT_MS = 60_000;

/** A message that could not be published, as it stands in the array under `failed_messages`. */
export interface FailedMessage {
  topic: string;
  payload: unknown;
  /** The key of its publish. */
  messageId: string;
  /** When it failed for good, ms since the Unix epoch. */
  timestamp: number;
  /** Why. */
  error: { code: string; message: string };
  /** Under whose login, where one was known. */
  user?: string;
  /** The server's address, as the client has it. */
  server: string;
}

/** Whoever publishes: every {@link RealtimeClient} does. */
export interface Publisher {
  readonly serverUrl: string;
  readonly user: User | undefined;
  publish(topic: string, payload: never, options?: PublishOptions): Promise<Published>;
}

/** Options of a safe publish, besides those of a publish. */
export interface SafePublishOptions extends PublishOptions {
  /** Who publishes. Default: the shared connection. */
  client?: Publisher;
  /** Where it is kept when it has failed. Default `localStorage` where there is one; `null`: nowhere. */
  storage?: Pick<Storage, "getItem" | "setItem"> | null;
}

/**
 * Publishes, and repeats what failed after 1, 2, 4, … s, under the same `messageId`, so that it happens once. Where
 * no repetition can help, or the last one failed, the message is kept in storage under `failed_messages` (the newest
 * 100) and the error is thrown.
 *
 * @param retries - how many repetitions there are at most. Default 3
 * @throws {@link RealtimeError} of the last attempt; `aborted` at once, and then nothing is kept
 *
 * @example
 * await safePublish("public:chat", { text: "hello" });
 */
export async function safePublish(
  topic: string,
  payload: unknown,
  retries = 3,
  { client = Realtime.client, storage, ...options }: SafePublishOptions = {},
): Promise<Published> {
  const messageId = options.messageId ?? generateMessageId();
  for (let repetition = 0; ; repetition++) {
    try {
      return await client.publish(topic, payload as never, { ...options, messageId });
    } catch (thrown) {
      const error = RealtimeError.from(thrown);
      if (error.code === "aborted") throw error;
      if (!error.retryable || repetition >= retries) {
        keep(client, storageOf(storage), { topic, payload, messageId }, error);
        throw error;
      }
      const wait = Math.max(FIRST_WAIT_MS * 2 ** repetition, error.retryAfterMs ?? 0);
      await delay(Math.min(wait, LONGEST_WAIT_MS), options.signal);
    }
  }
}

function keep(
  client: Publisher,
  storage: Pick<Storage, "getItem" | "setItem"> | undefined,
  message: Pick<FailedMessage, "topic" | "payload" | "messageId">,
  { code, message: text }: RealtimeError,
): void {
  const failed: FailedMessage = {
    ...message,
    timestamp: Date.now(),
    error: { code, message: text },
    ...(client.user && { user: client.user.userId }),
    server: client.serverUrl,
  };
  try {
    const all = [...readList(storage, KEY), failed].slice(-MOST_FAILED);
    storage?.setItem(KEY, JSON.stringify(all));
  } catch {
    // Full or blocked: the error that is thrown tells all the same.
  }
}
