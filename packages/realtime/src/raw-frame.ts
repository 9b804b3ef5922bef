/** The envelope of the raw endpoint. */

import type { Message } from "./types.js";

/** One frame of the raw endpoint. */
export interface WsMessage<Data = unknown> {
  /** See {@link MessageType}; the server's other events keep their own names. */
  type: string;
  data: Data;
  /** ms since the Unix epoch. */
  timestamp: number;
  /** Of a channel's message, its id; of a reply, the request's. */
  messageId: string;
  /** The seq of a channel's message. */
  sequence?: number;
  /** The channel of a message. */
  topic?: string;
  /** The user id of a message's publisher. */
  from?: string;
}

/** Messages that are remembered between their frame and their turn; more than ever wait behind a gap. */
const MOST_FRAMES = 8_192;

/**
 * @internal What the frames of channel messages said beside them. The engine puts messages in order and drops
 * repetitions; what is said of each stands in its frame.
 */
export class Frames {
  readonly #byId = new Map<string, WsMessage>();

  add(frame: WsMessage): void {
    this.#byId.set(frame.messageId, frame);
    for (const oldest of this.#byId.keys()) {
      if (this.#byId.size <= MOST_FRAMES) break;
      this.#byId.delete(oldest);
    }
  }

  /** The frame of a message; one that came in a reply gets the frame that it would have had. */
  take(message: Message): WsMessage {
    const { id, topic, from, seq, timestamp, payload } = message;
    const frame = this.#byId.get(id);
    this.#byId.delete(id);
    if (frame) return frame;
    const [type, data] = typeAndContent(payload);
    return { type, data, timestamp, messageId: id, topic, from, ...(seq !== undefined && { sequence: seq }) };
  }
}

/** @internal The frames in one text of the socket: one, or an array of several. */
export function readFrames(text: string): WsMessage[] {
  try {
    const parsed: unknown = JSON.parse(text);
    const frames = (Array.isArray(parsed) ? parsed : [parsed]) as (WsMessage | null)[];
    return frames.filter((frame): frame is WsMessage => typeof frame?.type === "string");
  } catch {
    // The engine closes a connection on which such a thing comes, and says why.
    return [];
  }
}

/** @internal Whether a frame is a channel's message. */
export function isChannelMessage({ type, sequence }: WsMessage): boolean {
  return sequence !== undefined && (type === "data" || type === "status" || type === "notification");
}

/** What kind of frame a payload makes, and what stands in it as `data`: as the server does it. */
function typeAndContent(payload: unknown): [string, unknown] {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return ["data", payload];
  const { type, content = payload } = payload as { type?: unknown; content?: unknown };
  const amends = (type === "edit" || type === "delete" || type === "reaction") && "target" in payload;
  const isStatus = type === "status" || type === "status_change";
  const kind = type === "notification" ? "notification" : isStatus ? "status" : "data";
  return [kind, amends ? payload : content];
}
