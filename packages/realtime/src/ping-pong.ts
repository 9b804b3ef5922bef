/** Heartbeats in JSON: `{"type":"ping"}`, answered by anything. */

/** @internal */
export class PingPong {
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #link: { ping(text: string): void; timeout(): void };
  #next: ReturnType<typeof setInterval> | undefined;
  #late: ReturnType<typeof setTimeout> | undefined;
  /** When the last sign of life came, ms since the Unix epoch. */
  lastPongTime: number | null = null;

  /** @param intervalMs - 0: nothing is sent and nothing is missed */
  constructor(intervalMs: number, timeoutMs: number, link: { ping(text: string): void; timeout(): void }) {
    this.#intervalMs = intervalMs;
    this.#timeoutMs = timeoutMs;
    this.#link = link;
  }

  /** Sends the first at once. */
  start(): void {
    this.stop();
    if (this.#intervalMs <= 0) return;
    this.#next = setInterval(() => this.#ping(), this.#intervalMs);
    this.#ping();
  }

  stop(): void {
    clearInterval(this.#next);
    clearTimeout(this.#late);
    this.#late = undefined;
  }

  /** Something came. */
  alive(): void {
    this.lastPongTime = Date.now();
    clearTimeout(this.#late);
    this.#late = undefined;
  }

  #ping(): void {
    // The first of several that are not answered counts.
    this.#late ??= setTimeout(() => this.#link.timeout(), this.#timeoutMs);
    try {
      this.#link.ping(JSON.stringify({ type: "ping", timestamp: Date.now() }));
    } catch {
      // It is closing, and says so next.
    }
  }
}
