/** The debug mode: what a client hears and says, printed. */

import type { AnyListener, Unlisten } from "./emitter.js";

/** Whatever tells of everything. */
interface Traced {
  onAny(listener: AnyListener): Unlisten;
  onAnyOutgoing(listener: AnyListener): Unlisten;
}

/** @internal Prints for as long as the client lives. */
export function trace(client: Traced, to: true | Pick<Console, "debug">): void {
  const target = to === true ? console : to;
  client.onAny((name, body) => target.debug(`← ${name}`, body));
  client.onAnyOutgoing((name, body) => target.debug(`→ ${name}`, body));
}
