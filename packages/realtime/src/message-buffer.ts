/** The newest messages. */

/**
 * Keeps the newest messages and lets go of older ones.
 *
 * @typeParam Item - what is kept
 *
 * @example
 * const recent = new MessageBuffer<Message>(50);
 * client.on("message", (message) => recent.addMessage(message));
 */
export class MessageBuffer<Item = unknown> {
  /** What is kept, the oldest first. */
  messages: Item[] = [];
  /** How many are kept. */
  readonly maxSize: number;

  /** @param maxSize - how many are kept. Default 100 */
  constructor(maxSize = 100) {
    this.maxSize = maxSize;
  }

  /** Adds one as the newest. */
  addMessage(message: Item): void {
    this.messages.push(message);
    if (this.messages.length > this.maxSize) this.messages.shift();
  }

  /** Lets go of all. */
  clear(): void {
    this.messages = [];
  }
}
