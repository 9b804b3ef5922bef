/** Who is on a channel and how far it is read: the reply that made the subscription, and the events after it. */

import type { Events, Message, Present, ReadTo, Subscribed } from "./types.js";

/** Most users that are listed: as many as may subscribe to a channel by default. */
const MOST_USERS = 10_000;
/** Most unread messages that are known one by one: of those before them the number is known. */
const MOST_UNREAD = 1_000;

/** @internal One subscribed channel's people. */
export class Roster {
  readonly present = new Map<string, Present>();
  readonly readers = new Map<string, number>();
  readSeq = 0;
  /** Unread messages up to `olderTop`: their number. */
  #older = 0;
  #olderTop = 0;
  /** Unread messages above it, ascending. */
  #newer: number[] = [];

  get unread(): number {
    return this.#older + this.#newer.length;
  }

  /** The subscription is in place, for the first time or again. */
  begin({ seq = 0, readSeq = 0, unread = 0, presence = [], readers }: Subscribed, me: string | undefined): void {
    this.present.clear();
    for (const user of presence) put(this.present, user.userId, user);
    if (readers) this.readers.clear();
    for (const { userId, seq } of readers ?? []) if (userId !== me) put(this.readers, userId, seq);
    this.readSeq = readSeq;
    this.#older = unread;
    this.#olderTop = seq;
    this.#newer = this.#newer.filter((at) => at > seq);
  }

  changed({ action, user }: Events["presence"]): void {
    if (action === "join") put(this.present, user.userId, user);
    else this.present.delete(user.userId);
  }

  /** Somebody read; this user too, in another client. */
  readBy({ userId, seq }: Events["receipt"], me: string | undefined): void {
    if (userId === me) this.#readUpTo(seq);
    else put(this.readers, userId, Math.max(seq, this.readers.get(userId) ?? 0));
  }

  /** The server has kept this user's own position. */
  kept({ seq, unread }: ReadTo): void {
    this.#readUpTo(seq);
    // Told behind everything that was said before it, so it counts that too.
    this.#olderTop = this.#newer.at(-1) ?? this.#olderTop;
    this.#newer = [];
    this.#older = unread;
  }

  /** A message was handed on. */
  note({ seq = 0, from, payload }: Message, me: string | undefined): void {
    if (from === me || isAmendment(payload) || seq <= Math.max(this.#newer.at(-1) ?? this.#olderTop, this.readSeq)) return;
    if (this.#newer.push(seq) <= MOST_UNREAD) return;
    this.#olderTop = this.#newer.shift() as number;
    this.#older++;
  }

  #readUpTo(seq: number): void {
    this.readSeq = Math.max(this.readSeq, seq);
    this.#newer = this.#newer.filter((at) => at > seq);
    this.#older = Math.min(this.#older, Math.max(0, this.#olderTop - seq));
  }
}

/** @internal Those of all subscribed channels. */
export class Rosters {
  readonly #byTopic = new Map<string, Roster>();

  /** A channel's; an empty one where it is not subscribed. */
  of(topic: string): Roster {
    return this.#byTopic.get(topic) ?? new Roster();
  }

  drop(topic: string | undefined): void {
    this.#byTopic.delete(topic as string);
  }

  /** Takes an event of the engine; most have nothing to do with people. */
  take(name: string, body: unknown, me: string | undefined): void {
    const { topic } = body as { topic: string };
    const known = this.#byTopic.get(topic);
    if (name === "subscribed") {
      const roster = known ?? new Roster();
      this.#byTopic.set(topic, roster);
      roster.begin(body as Subscribed, me);
    } else if (name === "message") known?.note(body as Message, me);
    else if (name === "presence") known?.changed(body as Events["presence"]);
    else if (name === "receipt") known?.readBy(body as Events["receipt"], me);
    else if (name === "unsubscribed") this.drop(topic);
  }
}

function put<Value>(map: Map<string, Value>, key: string, value: Value): void {
  if (map.size < MOST_USERS || map.has(key)) map.set(key, value);
}

/** Whether it changes an earlier message and is none to be read itself. */
function isAmendment(payload: unknown): boolean {
  if (typeof payload !== "object" || payload === null) return false;
  const { type } = payload as { type?: unknown };
  return "target" in payload && (type === "edit" || type === "delete" || type === "reaction");
}
