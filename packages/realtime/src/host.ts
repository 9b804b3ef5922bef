/** What the host says about the network and the page. */

import type { Unlisten } from "./emitter.js";

/** @internal Calls back when the network or the page's visibility returns; hosts without either never do. */
export function onReturn(listener: () => void): Unlisten {
  const { addEventListener, document } = globalThis as Partial<typeof globalThis>;
  if (typeof addEventListener !== "function") return () => {};
  const visible = () => document?.visibilityState === "visible" && listener();
  globalThis.addEventListener("online", listener);
  document?.addEventListener("visibilitychange", visible);
  return () => {
    globalThis.removeEventListener("online", listener);
    document?.removeEventListener("visibilitychange", visible);
  };
}
