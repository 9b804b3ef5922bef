/** Those who wait for their publish: each is settled by the ack of its `messageId`, or by what became of it. */

import { RealtimeError } from "./error.js";
import type { Ack, Published, QueueLoss } from "./types.js";

/** @internal How the queue says that a message will not be sent. */
export type LossName = "queueOverflow" | "queueExpired" | "queueRejected";

interface Waiting {
  resolve(published: Published): void;
  reject(error: RealtimeError): void;
}

/** @internal */
export class Publishes {
  /** One id may have been published twice. As long as the queue at most. */
  readonly #waiting = new Map<string, Waiting[]>();

  wait(messageId: string): Promise<Published> {
    return new Promise((resolve, reject) => {
      const others = this.#waiting.get(messageId) ?? [];
      this.#waiting.set(messageId, [...others, { resolve, reject }]);
    });
  }

  settle(ack: Ack): void {
    for (const { resolve } of this.#take(ack.clientMessageId)) resolve(ack);
  }

  /** Rejects those who wait for a lost message; answers with the loss as listeners get it. */
  lose(name: LossName, body: QueueLoss): QueueLoss {
    const { error, ...loss } = body;
    const refusal = error && RealtimeError.from({ topic: loss.topic, ...error, message: error.message });
    for (const { reject } of this.#take(loss.messageId)) reject(refusal ?? lost(name, loss.topic));
    return refusal ? { ...loss, error: refusal } : loss;
  }

  #take(messageId: string): Waiting[] {
    const waiting = this.#waiting.get(messageId) ?? [];
    this.#waiting.delete(messageId);
    return waiting;
  }
}

function lost(name: LossName, topic: string): RealtimeError {
  switch (name) {
    case "queueOverflow": {
      const text = "The queue was full and this message its oldest; publish less, or again when the connection is up";
      return new RealtimeError(text, { code: "queue_overflow", retryable: true, topic });
    }
    case "queueExpired": {
      const text = "The message waited longer than the queue keeps one; publish it again if it still matters";
      return new RealtimeError(text, { code: "queue_expired", retryable: true, topic });
    }
    case "queueRejected":
      return new RealtimeError("The server refused the message", { code: "rejected", topic });
  }
}
