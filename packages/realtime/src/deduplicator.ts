/** Remembering what was seen. */

/**
 * Remembers the last ids that it was asked about. A {@link RealtimeClient} drops duplicates by itself; this is for
 * messages of other sources.
 *
 * @example
 * const seen = new MessageDeduplicator();
 * socket.on("message", (message) => seen.isDuplicate(message.id) || show(message));
 */
export class MessageDeduplicator {
  /** The ids, the oldest first. */
  readonly messageIds = new Set<string>();
  /** How many are remembered. */
  readonly maxSize: number;

  /** @param maxSize - how many ids are remembered; then the oldest is forgotten. Default 1,000 */
  constructor(maxSize = 1_000) {
    this.maxSize = maxSize;
  }

  /** Whether this id was asked about before; remembers it. */
  isDuplicate(messageId: string): boolean {
    if (this.messageIds.has(messageId)) return true;
    this.messageIds.add(messageId);
    for (const oldest of this.messageIds) {
      if (this.messageIds.size <= this.maxSize) break;
      this.messageIds.delete(oldest);
    }
    return false;
  }

  /** Forgets all. */
  clear(): void {
    this.messageIds.clear();
  }
}
