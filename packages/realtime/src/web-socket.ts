/** The WebSocket class of the host. */

import { RealtimeError } from "./error.js";

let told = false;

/**
 * The host's own class (browsers, workers, Node from 22), or that of the package `ws`. Where there is neither, the
 * client polls over HTTP, and a line on the console says so once.
 *
 * @param isNeeded - there is no other way than a WebSocket
 * @throws {@link RealtimeError} `connect_error` where it is needed and there is none
 */
export async function webSocketClass(given: unknown, isNeeded = false): Promise<unknown> {
  if (given !== undefined) return given;
  if (typeof WebSocket === "function") return WebSocket;
  try {
    return ((await optional("ws")) as { WebSocket: unknown }).WebSocket;
  } catch (cause) {
    if (isNeeded) {
      const text = "This JavaScript host has no WebSocket: use Node 22 or newer, or install the package `ws`";
      throw new RealtimeError(text, { code: "connect_error", cause });
    }
    if (!told) {
      told = true;
      console.warn(
        "@bmt/realtime: this JavaScript host has no WebSocket, so messages travel by HTTP long-polling. Use Node 22 or newer, or install the package `ws`.",
      );
    }
    return undefined;
  }
}

/** A package that may be missing: named by an argument, so that no bundler for browsers looks for it. */
function optional(name: string): Promise<unknown> {
  return import(/* @vite-ignore */ /* webpackIgnore: true */ name);
}
