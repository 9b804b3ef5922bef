/**
 * Publishes that come before the engine is loaded: kept in storage in the engine's own format, so that a page
 * that ends right after loses none. The engine overwrites each entry with its own when it is told of it.
 */

import { storageOf } from "./storage.js";
import type { PublishOptions, RealtimeOptions } from "./types.js";

let order = 0;

/** @internal Writes one entry; storage that cannot be used is for the engine to report. */
export function keepEarly(
  url: string,
  options: RealtimeOptions,
  topic: string,
  payload: unknown,
  messageId: string,
  wanted: Omit<PublishOptions, "signal" | "messageId">,
): void {
  try {
    const entry = {
      topic,
      payload,
      options: { ...wanted, ackRequired: true },
      timestamp: Date.now(),
      messageId,
      user: subject(options.auth),
      server: new URL(url, globalThis.location?.href).origin,
      order: ++order,
    };
    storageOf(options.storage)?.setItem(`offline_messages:${messageId}`, JSON.stringify(entry));
  } catch {
    // Blocked, full, or no JSON: the call that follows says so.
  }
}

/** Whom a token speaks for, believed as it stands; unknown where a provider is still to be asked. */
function subject(auth: RealtimeOptions["auth"]): string | undefined {
  if (typeof auth !== "string") return undefined;
  const claims = atob((auth.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(claims, (character) => character.charCodeAt(0));
  const { sub } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown };
  return typeof sub === "string" ? sub : undefined;
}
