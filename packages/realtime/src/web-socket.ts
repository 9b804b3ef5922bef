/** The WebSocket class of the host. */

import { RealtimeError } from "./error.js";

/** The host's own class (browsers, workers, Node from 22), or that of the package `ws`. */
export async function webSocketClass(given: unknown): Promise<unknown> {
  if (given !== undefined) return given;
  if (typeof WebSocket === "function") return WebSocket;
  try {
    // Not written as a literal: a bundler for browsers must not look for it.
    const name = "ws";
    const { WebSocket: found } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as {
      WebSocket: unknown;
    };
    return found;
  } catch (cause) {
    throw new RealtimeError(
      "This JavaScript host has no WebSocket: use Node 22 or newer, or install the package `ws`",
      { code: "connect_error", cause },
    );
  }
}
