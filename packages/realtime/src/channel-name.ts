/** Channel names: the strict form that applications check, and taking names apart. */

const STRICT = /^(public|private|user|system):[a-zA-Z0-9_-]+$/;

/**
 * Whether `name` has the strict form `public|private|user|system`, a colon, and one segment of letters, digits,
 * `_` and `-`. The server accepts more: bare names, other namespaces and further segments.
 *
 * @example
 * validateChannelName("public:chat"); // true
 * validateChannelName("public:a b"); // false
 */
export function validateChannelName(name: string): boolean {
  return STRICT.test(name);
}

/** A channel's name in its parts. */
export interface ChannelNameParts {
  /** The namespace; the whole name where it has no colon. */
  type: string;
  /** What follows the namespace; empty where it has no colon. */
  name: string;
  /** The name as it was given. */
  full: string;
}

/**
 * Takes a channel's name apart.
 *
 * @example
 * parseChannelName("user:12:inbox"); // { type: "user", name: "12:inbox", full: "user:12:inbox" }
 */
export function parseChannelName(full: string): ChannelNameParts {
  const colon = full.indexOf(":");
  return colon < 0
    ? { type: full, name: "", full }
    : { type: full.slice(0, colon), name: full.slice(colon + 1), full };
}
