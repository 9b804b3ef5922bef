/**
 * The client of BMT Realtime.
 *
 * @packageDocumentation
 */
export { RealtimeClient, type Subscription } from "./client.js";
export type { Channel, ChannelEvents } from "./channel.js";
export type { MessageStream } from "./message-stream.js";
export {
  MessageEventHandler,
  createMessage,
  parseMessage,
  type ActionHandler,
  type ActionMessage,
  type ActionSender,
  type ActionType,
} from "./action.js";
export { MessageDeduplicator } from "./deduplicator.js";
export { MessageBuffer } from "./message-buffer.js";
export {
  OfflineMessageQueue,
  type FlushReport,
  type OfflineMessage,
  type OfflineQueueOptions,
  type PublishFunction,
} from "./offline-queue.js";
export {
  Realtime,
  registerHandler,
  type ConnectionNotice,
  type SharedOptions,
  type SharedStats,
  type SharedSubscription,
} from "./realtime.js";
export { RealtimeManager, type ManagerOptions } from "./keeper.js";
export { safePublish, type FailedMessage, type Publisher, type SafePublishOptions } from "./safe-publish.js";
export type { StorageLike } from "./storage.js";
export { CloseCode, ErrorCode, MessageType, WsErrorCode, shouldReconnect } from "./constants.js";
export { parseChannelName, validateChannelName, type ChannelNameParts } from "./channel-name.js";
export { canAccessChannel, canPublishToChannel } from "./permission.js";
export { generateMessageId } from "./message-id.js";
export { RealtimeError, type LocalErrorCode, type RealtimeErrorInit } from "./error.js";
export {
  WebSocketManager,
  type SocketClose,
  type SocketCounts,
  type SocketEvents,
  type SocketSnapshot,
  type SocketState,
  type SocketStats,
  type WebSocketManagerOptions,
} from "./web-socket-manager.js";
export { WsClient, type WsClientOptions, type WsData, type WsError, type WsHandler } from "./ws-client.js";
export type { WsMessage } from "./raw-frame.js";
// Names of the first protocol version's documents.
export type { ActionMessage as WebSocketMessage } from "./action.js";
export type { Message as RealtimeMessage, Status as ConnectionStatus } from "./types.js";
export type { WsClientOptions as WsConfig } from "./ws-client.js";
export type { AnyListener, Listener, Unlisten } from "./emitter.js";
export type {
  Ack,
  ChannelTypes,
  Connected,
  ConnectionState,
  Events,
  Gap,
  HistoryOptions,
  HistoryPage,
  Message,
  MessageHandler,
  Notification,
  PayloadOf,
  PresenceChange,
  PresenceList,
  Present,
  PublishOptions,
  Published,
  QueueLoss,
  ReadTo,
  Reader,
  RealtimeOptions,
  Receipt,
  Signal,
  StateChange,
  Stats,
  Status,
  SubscribeOptions,
  Subscribed,
  TokenProvider,
  User,
  WaitOptions,
} from "./types.js";
