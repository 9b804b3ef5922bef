/** How long to wait before the next attempt: the core's formula, for links that the core does not drive. */

/** @internal Times are ms. */
export interface Backoff {
  baseMs: number;
  capMs: number;
  factor: number;
  /** The part of a delay that is random, 0 to 1. */
  jitter: number;
}

/** @internal The delay before attempt `attempt` (0 for the first): `min(baseMs · factor^n, capMs) × (1 ± jitter)`. */
export function delayMs({ baseMs, capMs, factor, jitter }: Backoff, attempt: number): number {
  const capped = Math.min(baseMs * factor ** attempt, capMs);
  return Math.floor(capped * (1 + jitter * (2 * Math.random() - 1)));
}
