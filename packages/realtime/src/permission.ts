/**
 * Who may do what on which channel, by the server's default configuration: a check that saves a round trip. The
 * server decides again, and knows what a page does not: its own configuration and the member lists of channels.
 */

const SEGMENT = /^[A-Za-z0-9_-]{1,128}$/;
const NAME_BYTES = 255;
const GUEST_CHANNELS: ReadonlySet<string> = new Set(["public:general", "system:notifications"]);
/** Opens every channel of the namespace `private` to its holder. */
const OVERRIDE = "private_channel_access";
/** Ids of built-in accounts, which may hold a `_`: `u_` and 16 more characters. */
const BUILT_IN = /^u_.{16}$/;

/** What a user wants to do on a channel. */
type Verb = "subscribe" | "publish";

/**
 * Whether a user may read a channel: subscribe, page its history, see who is present. A pre-check by the server's
 * defaults; channels without a known member list are judged as if they had none.
 *
 * @param channel - the channel's name; one that is malformed or of an unknown namespace answers `false`
 * @param role - `admin`, `user` or `guest`; anything else counts as `user`, as it does on the server
 * @param userId - the user's id, the `sub` of the token
 * @param permissions - the token's `permissions`, such as `channel:private:team`. Default: none
 *
 * @example
 * canAccessChannel("user:12", "user", "12"); // true
 * canAccessChannel("user:12", "user", "1"); // false
 */
export function canAccessChannel(
  channel: string,
  role: string,
  userId: string,
  permissions: readonly string[] = [],
): boolean {
  return can("subscribe", channel, role, userId, permissions);
}

/**
 * Whether a user may write to a channel: publish and signal. A pre-check like {@link canAccessChannel}, with the same
 * arguments.
 *
 * @example
 * canPublishToChannel("system:notifications", "user", "12"); // false
 */
export function canPublishToChannel(
  channel: string,
  role: string,
  userId: string,
  permissions: readonly string[] = [],
): boolean {
  return can("publish", channel, role, userId, permissions);
}

function can(verb: Verb, channel: string, role: string, userId: string, permissions: readonly string[]): boolean {
  const segments = channel.split(":");
  if (channel.length > NAME_BYTES || !segments.every((segment) => SEGMENT.test(segment))) return false;
  const namespace = segments.length > 1 ? segments[0] : "bare";
  const isUser = role !== "guest";
  const opensTo = OPENS_TO.get(namespace ?? "");
  if (!opensTo) return false;
  if (role === "admin" || holds(permissions, verb, channel)) return true;
  return opensTo({ verb, channel, isUser, owner: segments[1], userId, permissions });
}

/** What a namespace's rule looks at. */
interface Question {
  verb: Verb;
  channel: string;
  isUser: boolean;
  owner: string | undefined;
  userId: string;
  permissions: readonly string[];
}

const open = ({ channel, isUser }: Question) => isUser || GUEST_CHANNELS.has(channel);

const OPENS_TO: ReadonlyMap<string, (question: Question) => boolean> = new Map([
  ["bare", open],
  ["public", open],
  ["system", (question) => question.verb === "subscribe" && open(question)],
  ["user", ({ owner, userId }) => owner === userId],
  ["document", ({ isUser }) => isUser],
  [
    "private",
    ({ channel, isUser, userId, permissions }) =>
      isUser && (permissions.includes(OVERRIDE) || directPair(channel).includes(userId)),
  ],
]);

/** Whether a capability names this channel: `channel:<name>` or `<verb>:<name>`, each also with a trailing `:*`. */
function holds(permissions: readonly string[], verb: Verb, channel: string): boolean {
  return permissions.some((permission) => {
    const colon = permission.indexOf(":");
    const kind = permission.slice(0, colon);
    const pattern = permission.slice(colon + 1);
    if (kind !== "channel" && kind !== verb) return false;
    // The colon stays: `private:team:*` never covers `private:teams:x`.
    return pattern.length > 2 && pattern.endsWith(":*")
      ? channel.startsWith(pattern.slice(0, -1))
      : channel === pattern;
  });
}

/** The two users of `private:dm_<a>_<b>`; nobody where the name can be read in several ways. */
function directPair(channel: string): string[] {
  const [, rest] = /^private:dm_([^:]*)$/.exec(channel) ?? [];
  if (rest === undefined) return [];
  const parts = rest.split("_");
  const readings = parts
    .slice(1)
    .map((_, at) => [parts.slice(0, at + 1).join("_"), parts.slice(at + 1).join("_")])
    .filter((ids) => ids.every((id) => id !== "" && (!id.includes("_") || BUILT_IN.test(id))));
  return (readings.length === 1 && readings[0]) || [];
}
