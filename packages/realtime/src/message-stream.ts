/** The messages of a channel as an async iterable. */

import { RealtimeError } from "./error.js";
import type { Message } from "./types.js";

/** Messages that wait for a slow reader. Past it the stream ends: what is dropped in silence is worse. */
const MOST_WAITING = 10_000;

/** Settles one `next()`. */
interface Reader<Payload> {
  resolve(result: IteratorResult<Message<Payload>, undefined>): void;
  reject(error: RealtimeError): void;
}

/**
 * Messages in order, for `for await`. Leaving the loop ends the stream.
 *
 * @throws {@link RealtimeError} where the subscription was refused or taken away, the signal aborted, or 10,000
 *   messages wait unread (`slow_reader`)
 */
export class MessageStream<Payload> implements AsyncIterableIterator<Message<Payload>> {
  readonly #close: () => void;
  readonly #messages: Message<Payload>[] = [];
  readonly #readers: Reader<Payload>[] = [];
  #ended = false;
  #error: RealtimeError | undefined;

  /** @internal `close` is called once, when the stream is over for whatever reason. */
  constructor(close: () => void) {
    this.#close = close;
  }

  /** @internal */
  push(message: Message<Payload>): void {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader) return reader.resolve({ done: false, value: message });
    if (this.#messages.push(message) <= MOST_WAITING) return;
    const text = `${MOST_WAITING} messages wait and nobody reads them: read faster, or subscribe with a handler`;
    this.end(new RealtimeError(text, { code: "slow_reader", topic: message.topic }));
  }

  /** @internal What was received before is still read; then comes the error, where there is one. */
  end(error?: RealtimeError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#close();
    for (const reader of this.#readers.splice(0)) this.#finish(reader);
  }

  /** The next message, when it comes. */
  next(): Promise<IteratorResult<Message<Payload>, undefined>> {
    return new Promise((resolve, reject) => {
      const message = this.#messages.shift();
      if (message) resolve({ done: false, value: message });
      else if (this.#ended) this.#finish({ resolve, reject });
      else this.#readers.push({ resolve, reject });
    });
  }

  /** Ends the stream; a `for await` that is left calls it. */
  return(): Promise<IteratorResult<Message<Payload>, undefined>> {
    this.#messages.length = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The error is told once, as generators do. */
  #finish({ resolve, reject }: Reader<Payload>): void {
    const error = this.#error;
    this.#error = undefined;
    if (error) reject(error);
    else resolve({ done: true, value: undefined });
  }
}
