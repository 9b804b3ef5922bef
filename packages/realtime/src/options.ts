/** Options as the engine reads them. */

import type { RealtimeOptions } from "./types.js";

/** @internal Other spellings take effect where the option's own name is missing. */
export function engineOptions(options: RealtimeOptions, webSocket: unknown): object {
  const { heartbeatInterval, maxQueueSize, heartbeatIntervalMs = heartbeatInterval, queue, ...rest } = options;
  return { ...rest, heartbeatIntervalMs, queue: { size: maxQueueSize, ...queue }, webSocket };
}
