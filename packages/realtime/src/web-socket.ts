/** The WebSocket class of the host. */

import { RealtimeError } from "./error.js";

/** The host's own class (browsers, workers, Node from 22), or that of the package `ws`. */
export async function webSocketClass(given: unknown): Promise<unknown> {
  if (given !== undefined) return given;
  if (typeof WebSocket === "function") return WebSocket;
  try {
    return ((await optional("ws")) as { WebSocket: unknown }).WebSocket;
  } catch (cause) {
    throw new RealtimeError(
      "This JavaScript host has no WebSocket: use Node 22 or newer, or install the package `ws`",
      { code: "connect_error", cause },
    );
  }
}

/** A package that may be missing: named by an argument, so that no bundler for browsers looks for it. */
function optional(name: string): Promise<unknown> {
  return import(/* @vite-ignore */ /* webpackIgnore: true */ name);
}
