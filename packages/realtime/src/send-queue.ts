/** What waits for a connection that says nothing about what arrived. */

import { RealtimeError } from "./error.js";

/** @internal What a WebSocket sends as it is. */
export type Sendable = string | ArrayBufferLike | ArrayBufferView | Blob;

/** @internal In memory, in order, bounded in number and in time. */
export class SendQueue {
  readonly #entries: { data: Sendable; timestamp: number }[] = [];
  readonly #size: number;
  readonly #expiryMs: number;
  readonly #onLoss: (error: RealtimeError) => void;

  constructor(size: number, expiryMs: number, onLoss: (error: RealtimeError) => void) {
    this.#size = size;
    this.#expiryMs = expiryMs;
    this.#onLoss = onLoss;
  }

  get length(): number {
    return this.#entries.length;
  }

  add(data: Sendable): void {
    this.#entries.push({ data, timestamp: Date.now() });
    if (this.#entries.length <= this.#size) return;
    this.#entries.shift();
    const text = `More than ${this.#size} messages wait for a connection; the oldest was dropped`;
    this.#onLoss(new RealtimeError(text, { code: "queue_overflow" }));
  }

  /** Hands on what waits, until `send` answers `false`. */
  flush(send: (data: Sendable) => boolean): void {
    for (let first = this.#entries[0]; first; first = this.#entries[0]) {
      if (Date.now() - first.timestamp > this.#expiryMs) {
        const text = `A message waited longer than ${this.#expiryMs} ms for a connection and was dropped`;
        this.#onLoss(new RealtimeError(text, { code: "queue_expired" }));
      } else if (!send(first.data)) return;
      this.#entries.shift();
    }
  }
}
