/** The WebSocket class of the host. */

let told = false;

/**
 * The host's own class (browsers, workers, Node from 22), or that of the package `ws`. Where there is neither, the
 * client polls over HTTP, and a line on the console says so once.
 */
export async function webSocketClass(given: unknown): Promise<unknown> {
  if (given !== undefined) return given;
  if (typeof WebSocket === "function") return WebSocket;
  try {
    return ((await optional("ws")) as { WebSocket: unknown }).WebSocket;
  } catch {
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
