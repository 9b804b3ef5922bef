/** The one kind of error this package throws and rejects with. */

import type { ErrorCode } from "./constants.js";

/**
 * The codes that arise in the client: `queue_expired`, `queue_overflow` and `rejected` settle a publish,
 * `aborted` is an `AbortSignal`'s, `disconnected` ends what waited when `disconnect()` was called, `cancelled` what
 * waited for a subscription that was given up, `timeout` is a request that was not answered, `not_connected` one
 * that needs a connection; `slow_reader` ends a loop over a channel that nobody reads, `handler_failed` is what a
 * handler of an action threw.
 */
export type LocalErrorCode =
  | "queue_expired"
  | "queue_overflow"
  | "rejected"
  | "aborted"
  | "cancelled"
  | "disconnected"
  | "handler_failed"
  | "not_connected"
  | "slow_reader"
  | "timeout";

/** What a {@link RealtimeError} is made of. */
export interface RealtimeErrorInit {
  /** For programs. A code of a later protocol version arrives as it is. */
  code: ErrorCode | LocalErrorCode | (string & {});
  /** Whether the same call may succeed later without being changed. */
  retryable?: boolean;
  /** The channel it was about. */
  topic?: string;
  /** When to try again, in ms from now. */
  retryAfterMs?: number;
  /** What was thrown below. */
  cause?: unknown;
}

/**
 * A refusal or a failure.
 *
 * @example
 * client.publish("system:news", {}).catch((error: RealtimeError) => {
 *   if (error.code === ErrorCode.PERMISSION_DENIED) show(error.message);
 * });
 */
export class RealtimeError extends Error {
  override readonly name = "RealtimeError";
  /** For programs; see {@link ErrorCode} and {@link LocalErrorCode}. */
  readonly code: string;
  /** Whether the same call may succeed later without being changed. */
  readonly retryable: boolean;
  /** The channel it was about. */
  declare readonly topic?: string;
  /** When to try again, in ms from now. */
  declare readonly retryAfterMs?: number;

  constructor(message: string, { code, retryable = false, topic, retryAfterMs, cause }: RealtimeErrorInit) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = retryable;
    if (topic !== undefined) this.topic = topic;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }

  /** @internal Takes what the engine throws: a plain object of the same fields. */
  static from(thrown: unknown): RealtimeError {
    if (thrown instanceof RealtimeError) return thrown;
    if (typeof thrown === "object" && thrown !== null && "code" in thrown && "message" in thrown) {
      return new RealtimeError(String(thrown.message), thrown as RealtimeErrorInit);
    }
    return new RealtimeError(thrown instanceof Error ? thrown.message : String(thrown), {
      code: "server_error",
      cause: thrown,
    });
  }
}

/** @internal The error of a wait that its `AbortSignal` ended. */
export function aborted(signal: AbortSignal, topic?: string): RealtimeError {
  const init: RealtimeErrorInit = { code: "aborted", cause: signal.reason };
  if (topic !== undefined) init.topic = topic;
  return new RealtimeError("The wait was aborted by its signal", init);
}
