/**
 * The first WebSocket of a client, opened while the engine is on its way: the network sets the connection up in the
 * time that loading takes. The engine gets it, and what it said meanwhile, when it asks for one of that address.
 */

import { storageOf } from "./storage.js";
import type { RealtimeOptions } from "./types.js";

/** Where the engine notes that a network lets no WebSocket through. */
const NEEDS_POLLING = "realtime_needs_polling";

/** @internal */
export interface EarlySocket {
  /** Stands in for the host's `WebSocket`: what it makes first is the open one, where the address is the same. */
  readonly socketClass: unknown;
  /** Nobody will ask for it any more. */
  close(): void;
}

/**
 * @internal Begins to connect, in a page or a worker; `undefined` where the engine may begin in another way, or the
 * host refuses: the engine finds out why, and says so.
 */
export function openEarly(
  serverUrl: string,
  { protocol, shared, transports, webSocket, tap, storage }: RealtimeOptions,
): EarlySocket | undefined {
  const isUsual = protocol !== "raw" && !shared && !webSocket && !tap && (transports?.includes("websocket") ?? true);
  if (!isUsual || "process" in globalThis || globalThis.navigator?.onLine === false) return undefined;
  try {
    if (storageOf(storage)?.getItem(NEEDS_POLLING)) return undefined;
    const { protocol: scheme, host, pathname } = new URL(serverUrl, globalThis.location?.href);
    const base = `${scheme.replace("http", "ws")}//${host}${pathname.replace(/\/+$/, "")}`;
    return hold(new WebSocket(`${base}/socket.io/?EIO=4&transport=websocket`));
  } catch {
    return undefined;
  }
}

function hold(opened: WebSocket): EarlySocket {
  const Host = WebSocket;
  let socket: WebSocket | undefined = opened;
  const heard: Event[] = [];
  opened.binaryType = "arraybuffer";
  opened.onopen = opened.onmessage = opened.onclose = (event: Event) => void heard.push(event);
  const take = (url: string): WebSocket | undefined => {
    const early = socket;
    socket = undefined;
    // One that is over would cost the engine its first attempt.
    const isUp = early && early.readyState <= WebSocket.OPEN;
    if (!isUp || early.url !== new URL(url).href) {
      early?.close();
      return undefined;
    }
    // As soon as whoever takes it listens, and before anything else can happen.
    queueMicrotask(() => {
      for (const event of heard.splice(0)) early[`on${event.type}` as "onopen"]?.(event);
    });
    return early;
  };
  return {
    // Not an arrow function: it is called with `new`.
    socketClass: function (url: string, protocols?: string[]) {
      return take(url) ?? new Host(url, protocols);
    },
    close() {
      socket?.close();
      socket = undefined;
    },
  };
}
