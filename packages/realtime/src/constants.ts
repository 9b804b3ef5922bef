/** The tables of the protocol: error codes, close codes, message types. */

/** Why a request was refused: the `code` of a {@link RealtimeError} and of the event `error`. */
export const ErrorCode = {
  /** The connection could not be made. */
  CONNECT_ERROR: "connect_error",
  /** The token is missing, wrong, expired or revoked. */
  AUTHENTICATION_FAILED: "authentication_failed",
  /** Unknown protocol, not a WebSocket, or a wrong Engine.IO version. */
  INVALID_PROTOCOL: "invalid_protocol",
  /** The server failed; the text names an incident that its log holds too. */
  SERVER_ERROR: "server_error",
  /** A missing or mistyped field (the text names it), or a malformed channel name. */
  INVALID_MESSAGE: "invalid_message",
  /** The payload is over the server's limit. */
  MESSAGE_TOO_LARGE: "message_too_large",
  /** Too many requests; `retryAfterMs` says when to come again. */
  RATE_LIMITED: "rate_limited",
  /** A known `messageId` with another body. */
  IDEMPOTENCY_CONFLICT: "idempotency_conflict",
  /** The channel's namespace is unknown. */
  CHANNEL_NOT_FOUND: "channel_not_found",
  /** The channel's or the connection's subscription limit is reached. */
  SUBSCRIBE_FAILED: "subscribe_failed",
  /** The user may not do this here. */
  PERMISSION_DENIED: "permission_denied",
  /** A known request in the wrong state. */
  INVALID_OPERATION: "invalid_operation",
  /** The connection named is gone. */
  CONNECTION_NOT_FOUND: "connection_not_found",
} as const;

/** One of the protocol's error codes. */
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** The same codes as numbers, as the raw WebSocket carries them. Several names share one number. */
export const WsErrorCode = {
  CONNECT_ERROR: 1000,
  AUTH_FAILED: 1001,
  INVALID_PROTOCOL: 1002,
  SERVER_ERROR: 1011,
  INVALID_MESSAGE: 2000,
  MESSAGE_TOO_LARGE: 2001,
  RATE_LIMIT: 2002,
  IDEMPOTENCY_CONFLICT: 2003,
  CHANNEL_NOT_FOUND: 3000,
  SUBSCRIBE_FAILED: 3000,
  PERMISSION_DENIED: 3001,
  INVALID_OPERATION: 3002,
  CONNECTION_NOT_FOUND: 3002,
} as const;

/** One of the protocol's error numbers. */
export type WsErrorCode = (typeof WsErrorCode)[keyof typeof WsErrorCode];

/** WebSocket close codes. What a client does after each is {@link shouldReconnect}'s to say. */
export const CloseCode = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  PROTOCOL: 1002,
  UNSUPPORTED_DATA: 1003,
  NO_STATUS: 1005,
  ABNORMAL: 1006,
  BAD_DATA: 1007,
  POLICY: 1008,
  TOO_LARGE: 1009,
  SERVER_ERROR: 1011,
  RESTART: 1012,
  TRY_LATER: 1013,
  BAD_GATEWAY: 1014,
  TLS_HANDSHAKE: 1015,
  TOKEN_EXPIRED: 4001,
  KICKED: 4002,
  SLOW_CONSUMER: 4003,
  HEARTBEAT_TIMEOUT: 4004,
  LIMIT_REACHED: 4005,
} as const;

/** One of the close codes the protocol gives a meaning to. */
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

/** The `type` of a frame on the raw WebSocket. */
export const MessageType = {
  CONNECT: "connect",
  DISCONNECT: "disconnect",
  ERROR: "error",
  HEARTBEAT: "heartbeat",
  NOTIFICATION: "notification",
  STATUS_CHANGE: "status",
  DATA_UPDATE: "data",
  SUBSCRIBE: "subscribe",
  UNSUBSCRIBE: "unsubscribe",
  ACK: "ack",
} as const;

/** One of the types of a raw frame. */
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

const STAYS: ReadonlySet<number> = new Set([
  CloseCode.NORMAL,
  CloseCode.PROTOCOL,
  CloseCode.UNSUPPORTED_DATA,
  CloseCode.BAD_DATA,
  CloseCode.POLICY,
  CloseCode.KICKED,
]);

/**
 * Whether a client comes back by itself after a WebSocket closed with `code`. Codes outside the table: yes.
 *
 * @example
 * socket.addEventListener("close", ({ code }) => shouldReconnect(code) && again());
 */
export function shouldReconnect(code: number): boolean {
  return !STAYS.has(code);
}
