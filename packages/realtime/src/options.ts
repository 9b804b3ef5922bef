/** Options as the engine reads them. */

import type { RealtimeOptions } from "./types.js";

/** The raw endpoint below a server's own path. */
const RAW_PATH = "/api/v1/ws";

/** @internal Other spellings take effect where the option's own name is missing. */
export function engineOptions(serverUrl: string, options: RealtimeOptions, webSocket: unknown): object {
  const { heartbeatInterval, maxQueueSize, heartbeatIntervalMs = heartbeatInterval, queue, ...rest } = options;
  const { pathname } = new URL(serverUrl, globalThis.location?.href);
  const path = pathname.replace(/\/*$/, RAW_PATH);
  return { ...rest, heartbeatIntervalMs, queue: { size: maxQueueSize, ...queue }, webSocket, path };
}
